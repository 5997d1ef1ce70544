"""The worker's process: jobs, schedules and the reconciler, with a small port for health and metrics."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, Final

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kontor.app.assistant_dialects import follow
from kontor.app.container import Container
from kontor.app.reactions import reactions
from kontor.app.schema import METADATA
from kontor.billing.metering import hit_alerts, partitions, rerate
from kontor.billing.metering.budgets import alerts
from kontor.billing.metering.content import entries
from kontor.core import idempotency, mail, telemetry
from kontor.core.audit import SYSTEM
from kontor.core.errors import DomainError, Unavailable
from kontor.core.events import handlers, subscribers
from kontor.core.ids import PREFIXES, encode
from kontor.core.jobs import Schedule, Work, Worker
from kontor.core.settings import Settings
from kontor.tenants.leaving.build import ExportBuilder, sweep_exports
from kontor.tenants.leaving.erase import ADVANCE_JOB
from kontor.tenants.leaving.eraser import Eraser, advance_due
from kontor.tenants.leaving.export import BUILD_JOB
from kontor.tenants.leaving.replay import replay_register
from kontor.tenants.people import reset, sessions, sign_up
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.fake import FakeRuntime
from kontor.tenants.provisioning.local import LocalRuntime
from kontor.tenants.provisioning.pool import Making
from kontor.tenants.provisioning.reconcile import Reconciler
from kontor.tenants.provisioning.runtime import Runtime
from kontor.tenants.provisioning.spec import RELEASE
from kontor.tenants.sla.watch import Watch
from kontor.tenants.talk import retention

log = structlog.get_logger(__name__)

SITE: Final = "local"
STARTS: Final = 2


def runtime_of(settings: Settings) -> LocalRuntime | FakeRuntime:
    """The runtime that the settings name."""
    if settings.runtime == "fake":
        return FakeRuntime()
    return LocalRuntime(settings.instances_path, settings.cache_dir)


def reconciler_of(container: Container, runtime: LocalRuntime | FakeRuntime) -> Reconciler:
    """The reconciler over a runtime."""
    settings, database = container.settings, container.database
    return Reconciler(
        database,
        runtime,
        container.keys,
        Blueprint(database, container.sellers, settings.gateway_url),
        Making(SITE, RELEASE, settings.instance_memory_mb, settings.pool_size),
        dialects=container.dialects,
        starts=STARTS,
        on_observation=Watch(database),
    )


def eraser_of(container: Container, runtime: Runtime) -> Eraser:
    """What erases tenants."""
    return Eraser(
        container.database,
        files=container.files,
        runtime=runtime,
        keys=container.keys,
        usage=container.usage,
        register=container.erasures,
        metadata=METADATA,
        scratch=container.settings.scratch_path,
    )


def work_of(container: Container, runtime: Runtime) -> Work:
    """All jobs and schedules."""
    database, files = container.database, container.files
    scratch = container.settings.scratch_path

    async def sweep_people() -> None:
        await sign_up.sweep(database)
        await reset.sweep(database)
        async with database.system_uow() as tx:
            await sessions.sweep(tx)
            await idempotency.sweep(tx)

    async def keep_retention() -> None:
        await retention.purge_all(database)

    async def tell_of_budgets() -> None:
        await alerts.tell_due(database)

    async def tell_of_hits() -> None:
        await hit_alerts.find_due(database, container.settings.policy_alert_hits)

    async def keep_content_retention() -> None:
        await entries.purge(database)

    async def rerate_usage() -> None:
        await rerate.rerate(database, SYSTEM)

    async def make_months() -> None:
        await partitions.make_months(database)

    async def drop_old_exports() -> None:
        await sweep_exports(database, files)

    async def go_on_with_erasures() -> None:
        await advance_due(database)

    return Work(
        handlers={
            reset.JOB: reset.link_job(database, container.links),
            mail.SEND_JOB: mail.sender_job(database, container.mail_server),
            BUILD_JOB: ExportBuilder(database, files, runtime, container.usage, scratch),
            ADVANCE_JOB: eraser_of(container, runtime),
            **handlers(reactions(container)),
        },
        schedules=(
            Schedule("people.sweep", "13 * * * *", sweep_people),
            Schedule("exports.sweep", "23 * * * *", drop_old_exports),
            Schedule("erasures.advance", "* * * * *", go_on_with_erasures),
            Schedule(alerts.SCHEDULE, alerts.EVERY_MINUTE, tell_of_budgets),
            Schedule(hit_alerts.SCHEDULE, hit_alerts.EVERY_FIVE_MINUTES, tell_of_hits),
            Schedule(rerate.SCHEDULE, rerate.EVERY_HOUR, rerate_usage),
            Schedule(partitions.SCHEDULE, partitions.EVERY_NIGHT, make_months),
            Schedule(entries.SCHEDULE, entries.EVERY_HOUR, keep_content_retention),
            Schedule(retention.SCHEDULE, retention.EVERY_NIGHT, keep_retention),
        ),
    )


async def serve(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; running jobs end first."""
    container = Container(settings)
    container.database.subscribe(subscribers(reactions(container)))
    runtime = runtime_of(settings)
    worker, reconciler = Worker(container.database, work_of(container, runtime)), reconciler_of(container, runtime)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await _repeat_erasures(container, runtime, stopping)
    tasks = [_beside(worker.run(), stopping), _beside(reconciler.run(), stopping)]
    following = asyncio.create_task(follow(settings, container.dialects))
    health = _health(container, settings.worker_port)
    if health is not None:
        tasks.append(_beside(health.serve(), stopping))
    await stopping.wait()
    worker.stop()
    reconciler.stop()
    following.cancel()
    if health is not None:
        health.should_exit = True
    await asyncio.gather(*tasks, following, return_exceptions=True)
    await runtime.close()
    await container.close()


async def _repeat_erasures(container: Container, runtime: Runtime, stopping: asyncio.Event) -> None:
    """What a restore has undone is gone again before anything is done for it, also when nobody ran `migrate`."""
    while not stopping.is_set():
        try:
            eraser = eraser_of(container, runtime)
            repeated = await replay_register(container.database, container.erasures, runtime, eraser)
        except Unavailable as error:
            log.warning("erasures.replay_waits", error=repr(error))
            await asyncio.sleep(1)
        else:
            for erasure in repeated:
                log.warning("erasure.repeated", erasure=encode(PREFIXES["erasure"], erasure))
            return


def run(settings: Settings) -> None:
    """The process."""
    telemetry.configure(settings.log_format)
    asyncio.run(serve(settings))


def _beside(work: Coroutine[Any, Any, None], stopping: asyncio.Event) -> asyncio.Task[None]:
    """A task that lives as long as the process; when it ends by a bug the process ends, to be started anew."""
    task = asyncio.create_task(work)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("worker.task_died", exc_info=error)
        stopping.set()

    task.add_done_callback(ended)
    return task


class _Health(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the process has its own handlers
        yield


def _health(container: Container, port: int) -> uvicorn.Server | None:
    if not port:
        return None

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        try:
            await container.database.ping()
        except DomainError as error:
            return JSONResponse({"status": error.code}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
    return _Health(config)
