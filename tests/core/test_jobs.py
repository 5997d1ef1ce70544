"""Jobs and events: in the transaction, at least once, parked when they kill their worker."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlalchemy import select

from kontor.core.db import Database
from kontor.core.events import Event, handlers, publish, subscribers
from kontor.core.ids import TenantId
from kontor.core.jobs import MAX_CRASHES, Job, JobRun, Work, Worker, enqueue


async def test_a_job_runs_when_its_transaction_commits_and_never_when_it_does_not(database: Database) -> None:
    seen: list[Job] = []

    async def handler(job: Job) -> None:
        seen.append(job)

    worker = Worker(database, Work({"greet": handler}))

    async def changes_its_mind() -> None:
        async with database.system_uow() as tx:
            await enqueue(tx, "greet", {"name": "never"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await changes_its_mind()
    async with database.system_uow() as tx:
        await enqueue(tx, "greet", {"name": "Jürgen 🎉"})

    await worker.drain()

    assert [job.args for job in seen] == [{"name": "Jürgen 🎉"}]


async def test_a_tenants_transaction_may_enqueue(database: Database) -> None:
    seen: list[Job] = []
    tenant = TenantId(uuid4())

    async def handler(job: Job) -> None:
        seen.append(job)

    async with database.uow(tenant) as tx:
        await enqueue(tx, "greet")

    await Worker(database, Work({"greet": handler})).drain()

    assert [job.tenant for job in seen] == [tenant]


async def test_a_failing_job_is_tried_again(database: Database) -> None:
    attempts: list[int] = []

    async def handler(job: Job) -> None:
        attempts.append(job.attempt)
        if len(attempts) == 1:
            raise ValueError("once")

    async with database.system_uow() as tx:
        await enqueue(tx, "shaky")

    await Worker(database, Work({"shaky": handler})).drain()

    assert attempts == [0, 1]


async def test_a_job_that_always_kills_its_worker_is_parked(database: Database) -> None:
    seen: list[Job] = []

    async def handler(job: Job) -> None:
        seen.append(job)

    async with database.system_uow() as tx:
        await enqueue(tx, "deadly")
        job_id = await (await tx.driver()).fetchval("SELECT id FROM pgqueuer")
        tx.add(JobRun(job_id=job_id, name="deadly", starts=MAX_CRASHES, started_at=tx.now))

    await Worker(database, Work({"deadly": handler})).drain()

    assert seen == []
    async with database.system_uow() as tx:
        assert await (await tx.driver()).fetchval("SELECT status::text FROM pgqueuer") == "failed"


async def test_two_jobs_with_one_dedupe_key_are_one_while_the_first_waits(database: Database) -> None:
    seen: list[Job] = []

    async def handler(job: Job) -> None:
        seen.append(job)

    async with database.system_uow() as tx:
        await enqueue(tx, "once", dedupe="a")
    async with database.system_uow() as tx:
        await enqueue(tx, "once", dedupe="a")

    await Worker(database, Work({"once": handler})).drain()

    assert len(seen) == 1


@dataclass(frozen=True, slots=True)
class Greeted(Event):
    name: str


async def test_an_event_reaches_each_subscriber_with_its_values(database: Database) -> None:
    heard: list[tuple[str, Event]] = []

    async def first(event: Greeted) -> None:
        heard.append(("first", event))

    async def second(event: Greeted) -> None:
        heard.append(("second", event))

    reactions = {Greeted: [first, second]}
    known = Database(database.urls, database.clock, database.vault, subscribers(reactions))
    event = Greeted(TenantId(uuid4()), "Größe")
    async with known.uow(event.tenant) as tx:
        await publish(tx, event)

    await Worker(known, Work(handlers(reactions))).drain()

    assert sorted(heard) == [("first", event), ("second", event)]
    async with known.system_uow() as tx:
        assert (await tx.scalars(select(JobRun))).all() == []
    await known.close()
