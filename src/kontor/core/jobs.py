"""Jobs: enqueued in the transaction of the change, run at least once, parked when they never succeed.

Owns the queue (pgqueuer on the same Postgres), retries and schedules. A handler gets ids, re-reads the rows and may
be run twice; what it does outside carries an idempotency key. A worker that is killed by a job leaves a count behind
(`job_runs`), so that such a job is parked and not run for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.models import Schedule as DueSchedule
from pgqueuer.domain.types import QueueExecutionMode
from prometheus_client import Counter
from sqlalchemy import BigInteger, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base, Database, Tx
from kontor.core.errors import Unavailable
from kontor.core.ids import TenantId
from kontor.core.telemetry import bound, request_id
from kontor.core.tenancy import shared_table

log = structlog.get_logger(__name__)

MAX_TRIES: Final = 10
MAX_CRASHES: Final = 5
FIRST_DELAY: Final = timedelta(seconds=1)
LAST_DELAY: Final = timedelta(minutes=5)
HEARTBEAT: Final = timedelta(seconds=10)
RECONNECT_S: Final = 1.0

JOBS_DONE: Final = Counter("kontor_jobs_total", "Jobs by name and outcome", ["name", "outcome"])


class JobRun(Base):
    """How often a job was started; gone once it succeeded."""

    __tablename__ = "job_runs"
    __table_args__ = (shared_table(why="jobs belong to the platform and carry only ids"),)

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    starts: Mapped[int]
    started_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work as its handler sees it; `attempt` counts from 0."""

    name: str
    tenant: TenantId | None
    args: Mapping[str, str]
    attempt: int = 0


Handler = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something done at set times. `cron` has five fields, UTC."""

    name: str
    cron: str
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """All that a worker does."""

    handlers: Mapping[str, Handler]
    schedules: Sequence[Schedule] = field(default=())


async def enqueue(
    tx: Tx,
    name: str,
    args: Mapping[str, str] | None = None,
    *,
    tenant: TenantId | None = None,
    after: timedelta | None = None,
    dedupe: str | None = None,
) -> None:
    """The job runs after this transaction commits, and never if it does not.

    With `dedupe`, a second one while the first still waits changes nothing.
    """
    owner = tenant or tx.tenant
    payload = {"tenant": str(owner) if owner else None, "args": dict(args or {}), "request": request_id()}
    await tx.flush()
    queries = Queries(AsyncpgDriver(await tx.driver()))
    await queries.enqueue(
        [name],
        [orjson.dumps(payload)],
        [0],
        execute_after=[after],
        dedupe_key=[f"{name}:{dedupe}" if dedupe else None],
        on_conflict="skip",
    )


class Worker:
    """Runs jobs and schedules until it is told to stop; survives a restart of Postgres."""

    def __init__(self, database: Database, work: Work) -> None:
        self._database = database
        self._work = work
        self._stopping = asyncio.Event()
        self._current: PgQueuer | None = None

    def stop(self) -> None:
        """Running jobs end, no new one begins."""
        self._stopping.set()
        if self._current is not None:
            self._current.shutdown.set()

    async def run(self) -> None:
        """Until stop(). A lost connection is made anew; jobs that were running are taken up after their heartbeat."""
        while not self._stopping.is_set():
            try:
                await self._run_connected()
            except Exception:
                if self._stopping.is_set():
                    return
                log.exception("worker.connection_lost")
                await asyncio.sleep(RECONNECT_S)

    async def drain(self) -> None:
        """Every job that is due has run when this returns. For tests."""
        connection = await asyncpg.connect(self._database.urls.system)
        try:
            await self._queuer(connection).run(
                mode=QueueExecutionMode.drain, dequeue_timeout=timedelta(milliseconds=50)
            )
        finally:
            await connection.close()

    async def _run_connected(self) -> None:
        connection = await asyncpg.connect(self._database.urls.system, timeout=5)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            self._current = self._queuer(connection)
            running = asyncio.create_task(self._current.run(heartbeat_timeout=HEARTBEAT, batch_size=5))
            watching = asyncio.create_task(lost.wait())
            await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
            watching.cancel()
            if not running.done():
                self._current.shutdown.set()
                running.cancel()
                await asyncio.wait({running}, timeout=5)
                raise ConnectionError("the queue's connection was closed")
            await running
        finally:
            self._current = None
            if not connection.is_closed():
                await connection.close(timeout=5)

    def _queuer(self, connection: asyncpg.Connection) -> PgQueuer:
        queuer = PgQueuer.from_asyncpg_connection(connection)
        for name, handler in self._work.handlers.items():
            queuer.entrypoint(name, on_failure="hold")(self._guarded(name, handler))
        for schedule in self._work.schedules:
            queuer.schedule(schedule.name, schedule.cron, clean_old=True)(_scheduled(schedule))
        return queuer

    def _guarded(self, name: str, handler: Handler) -> Callable[[QueuedJob], Awaitable[None]]:
        async def run(queued: QueuedJob) -> None:
            payload = orjson.loads(queued.payload or b"{}")
            tenant = TenantId(UUID(payload["tenant"])) if payload.get("tenant") else None
            job = Job(name, tenant, payload.get("args", {}), queued.attempts)
            with bound(request_id=payload.get("request"), tenant=tenant, job=name):
                if not await self._may_start(queued.id, job):
                    JOBS_DONE.labels(name, "parked").inc()
                    log.error("job.parked", starts=MAX_CRASHES)
                    raise RuntimeError(f"{name} was started {MAX_CRASHES} times and never came back: parked")
                try:
                    await handler(job)
                except Exception as error:
                    await self._forget(queued.id)
                    if not isinstance(error, Unavailable) and job.attempt >= MAX_TRIES:
                        JOBS_DONE.labels(name, "parked").inc()
                        log.exception("job.parked", tries=job.attempt)
                        raise
                    JOBS_DONE.labels(name, "retried").inc()
                    log.warning("job.retried", error=repr(error), attempt=job.attempt)
                    raise RetryRequested(_delay(job.attempt), type(error).__name__) from error
                await self._forget(queued.id)
                JOBS_DONE.labels(name, "done").inc()

        return run

    async def _may_start(self, job_id: int, job: Job) -> bool:
        async with self._database.system_uow() as tx:
            row = insert(JobRun).values(job_id=job_id, name=job.name, starts=1, started_at=tx.now)
            starts = await tx.scalar(
                row.on_conflict_do_update(
                    index_elements=["job_id"], set_={"starts": JobRun.starts + 1, "started_at": tx.now}
                ).returning(JobRun.starts)
            )
        return (starts or 0) <= MAX_CRASHES

    async def _forget(self, job_id: int) -> None:
        async with self._database.system_uow() as tx:
            await tx.execute(delete(JobRun).where(JobRun.job_id == job_id))


def _delay(attempt: int) -> timedelta:
    return min(FIRST_DELAY * (1 << min(attempt, 20)), LAST_DELAY)


def _scheduled(schedule: Schedule) -> Callable[[DueSchedule], Awaitable[None]]:
    async def run(_: DueSchedule) -> None:
        try:
            await schedule.run()
        except Exception:
            JOBS_DONE.labels(schedule.name, "failed").inc()
            log.exception("schedule.failed", schedule=schedule.name)

    return run
