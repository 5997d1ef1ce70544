"""The gateway's process: which provider, and the tasks beside the server.

Only this process speaks to providers; the API has to be told the same ones, because contracts name them. It holds no
state but its journal; several may run side by side.
"""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from functools import lru_cache
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.server import ServerState

from kontor.app import gateway_config, gateway_workers
from kontor.app.providers import catalogue_of
from kontor.billing.metering.budgets.draw import Rates
from kontor.billing.metering.budgets.purses import Purses
from kontor.billing.metering.budgets.spending import Spending
from kontor.billing.metering.caller import Caller
from kontor.billing.metering.callers import CallerConnection
from kontor.billing.metering.content.writer import ContentWriter
from kontor.billing.metering.forward import Forwarder
from kontor.billing.metering.gateway import Gateway
from kontor.billing.metering.guard import Guard
from kontor.billing.metering.health import Health
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.key_cache import KeyCache
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.billing.metering.live_prices import LivePrices
from kontor.billing.metering.outages.watch import OutageWatch
from kontor.billing.metering.policy.classifier import RuleClassifier
from kontor.billing.metering.policy.packs import load_packs
from kontor.billing.metering.recorder import Recorder
from kontor.billing.metering.refusals import Refusals
from kontor.billing.metering.upstream import Upstreams
from kontor.core import postgres, telemetry
from kontor.core.clock import SystemClock
from kontor.core.settings import Settings
from kontor.tenants.contracts.catalogue import packaged

log = structlog.get_logger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DRAIN_S: Final = 30
LAST_FLUSH_S: Final = 5.0


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; running answers end first, for at most DRAIN_S."""
    telemetry.configure(settings.log_format)
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # each stream has two, workers inherit it
    if settings.gateway_workers == 1:
        uvicorn.Server(_config(GatewayProcess(settings), settings)).run()
    else:
        gateway_workers.serve(_config("kontor.app.gateway:worker", settings), settings)


def worker() -> "GatewayProcess":
    """The application of one of several workers, by the environment that it has from its parent."""
    settings = Settings()
    telemetry.configure(settings.log_format)
    return GatewayProcess(settings)


def _config(app: "GatewayProcess | str", settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.gateway_host,
        port=settings.gateway_port,
        loop="uvloop",
        http=_Connection,
        ws="none",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )


class _Connection(CallerConnection):
    """The gateway's own protocol under uvicorn's server, which owns sockets, signals and the end."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's own
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        process: GatewayProcess = config.loaded_app
        super().__init__(
            process.serve, server_state.connections, server_state.tasks, lambda: _lines(*server_state.default_headers)
        )


@lru_cache(maxsize=1)
def _lines(*headers: tuple[bytes, bytes]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class GatewayProcess:
    """The gateway with its lifespan (ASGI): journal, key cache, recorder and upstream begin and end with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway: Gateway | None = None

    async def serve(self, caller: Caller) -> None:
        """One request."""
        if self._gateway is not None:
            await self._gateway.serve(caller)

    async def __call__(self, _scope: object, receive: Receive, send: Send) -> None:
        """The process's life."""
        await receive()
        settings = self._settings
        link = Link(postgres.urls(settings).gateway)
        journal = Journal(settings.journal_path, durable=settings.journal_fsync)
        clock, keys, prices, upstreams = SystemClock(), KeyCache(link), LivePrices(), Upstreams()
        recorder = Recorder(journal, link, prices)
        rates = Rates(settings.requests_per_minute, settings.tokens_per_minute)
        purses = Purses(link, journal.writer, clock, rates)
        spending = Spending(purses, prices, clock, settings.unpriced)
        catalogue = catalogue_of(settings, packaged())
        guard = Guard(load_packs(settings.policy_dir), RuleClassifier(), clock)
        content = ContentWriter(link, clock)
        refusals = Refusals(clock)
        outages = OutageWatch(clock, journal.writer, catalogue)
        forwarder = Forwarder(upstreams, journal, clock, health=Health(witness=outages), prices=prices)
        self._gateway = Gateway(
            keys,
            journal,
            forwarder,
            catalogue=catalogue,
            spending=spending,
            guard=guard,
            content=content,
            refusals=refusals,
            metrics=gateway_workers.metrics,
        )
        beside = [
            _beside(keys.follow()),
            _beside(prices.follow(link)),
            _beside(recorder.run()),
            _beside(purses.tidy()),
            _beside(_write_counts(link, guard, refusals)),
            _beside(_write_outages(outages, link)),
            _beside(content.run()),
            _beside(gateway_config.follow(settings, self._gateway, guard, outages)),
            _beside(gateway_workers.end_with_parent()),
        ]
        deployments = [one.name for one in catalogue.deployments]
        log.info("gateway.started", deployments=deployments, port=settings.gateway_port)
        await send({"type": "lifespan.startup.complete"})

        await receive()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                await recorder.flush()
                async with link.connection() as connection:
                    await guard.write(connection)
                    await refusals.write(connection)
                    await outages.write(connection)
                await content.flush()
                await purses.give_back()
        except (DatabaseAway, TimeoutError):
            log.warning("gateway.journal_left", folder=str(settings.journal_path))
        journal.end()
        await upstreams.close()
        await link.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _write_counts(link: Link, guard: Guard, refusals: Refusals) -> None:
    """Until cancelled: hits of the policy and refused requests are in Postgres a second later."""
    while True:
        await asyncio.sleep(1)
        try:
            async with link.connection() as connection:
                await guard.write(connection)
                await refusals.write(connection)
        except DatabaseAway:
            continue


async def _write_outages(outages: OutageWatch, link: Link) -> None:
    """Until cancelled: what the circuits have seen is in Postgres a second later, or when that is back."""
    while True:
        await asyncio.sleep(1)
        if not outages.has_news:
            continue
        try:
            async with link.connection() as connection:
                await outages.write(connection)
        except DatabaseAway:
            continue


def _beside(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that lives as long as the process. If it dies of a bug the process ends, to be started anew."""
    task = asyncio.create_task(work)

    def said(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("gateway.task_died", exc_info=error)
            os.kill(os.getpid(), signal.SIGTERM)

    task.add_done_callback(said)
    return task


if __name__ == "__main__":
    run(Settings())
