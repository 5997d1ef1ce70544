"""What circuits see becomes intervals in Postgres: opened, extended, closed, and honest about gaps."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from kontor.billing.metering.catalogue import Catalogue, Deployment, Model
from kontor.billing.metering.health import FAILURES, Health
from kontor.billing.metering.outages import watch
from kontor.billing.metering.outages.cause import Cause
from kontor.billing.metering.outages.queries import outages_since, times_all_down
from kontor.billing.metering.outages.spans import LONGEST_GAP
from kontor.billing.metering.outages.watch import OutageWatch
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.ids import new_id
from kontor.core.postgres import DatabaseUrls


def deployment(name: str, sub_processor: str = "mistral-eu") -> Deployment:
    return Deployment(
        name, name, "m", "http://127.0.0.1:1/v1", frozenset({"chat"}), frozenset({"eu"}), sub_processor=sub_processor
    )


def catalogue(*names: str) -> Catalogue:
    return Catalogue([Model("assistant", tuple(map(deployment, names)))])


@pytest.fixture
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(database_urls.gateway)
    yield made
    await made.close()


class Seeing:
    """One process's circuits and their witness; times are seconds after the clock's beginning."""

    def __init__(self, clock: FixedClock, connection: asyncpg.Connection, *names: str) -> None:
        self.clock, self.begin, self._connection = clock, clock.now(), connection
        self.witness = OutageWatch(clock, new_id(), catalogue(*(names or ("a",))))
        self.health = Health(witness=self.witness)

    def fails(self, name: str = "a", times: int = FAILURES, cause: Cause = Cause.FAILING) -> None:
        for _ in range(times):
            self.health.failed(name, cause)

    def after(self, **more: float) -> None:
        self.clock.advance(timedelta(**more))

    async def rows(self) -> list[tuple[str, float, float, bool]]:
        await self.witness.write(self._connection)
        rows = await self._connection.fetch("SELECT * FROM provider_outages ORDER BY started_at")
        return [
            (
                row["cause"],
                (row["started_at"] - self.begin).total_seconds(),
                (row["observed_until"] - self.begin).total_seconds(),
                row["ended_at"] is not None,
            )
            for row in rows
        ]


@pytest.fixture
def seeing(clock: FixedClock, connection: asyncpg.Connection) -> Seeing:
    return Seeing(clock, connection)


async def test_an_outage_begins_with_the_open_circuit_and_reaches_to_the_last_failed_try(seeing: Seeing) -> None:
    seeing.fails(times=FAILURES - 1)
    assert await seeing.rows() == []

    seeing.after(seconds=2)
    seeing.fails(times=1)
    assert await seeing.rows() == [("failing", 2, 2, False)]

    seeing.after(seconds=60)
    seeing.fails(times=1)
    assert await seeing.rows() == [("failing", 2, 62, False)]


async def test_an_answer_ends_it_and_answers_of_a_closed_circuit_write_nothing(seeing: Seeing) -> None:
    seeing.fails()
    seeing.after(seconds=30)
    seeing.health.succeeded("a")
    assert await seeing.rows() == [("failing", 0, 30, True)]

    seeing.after(seconds=30)
    seeing.health.succeeded("a")
    seeing.fails(times=FAILURES - 1)
    seeing.health.succeeded("a")

    assert await seeing.rows() == [("failing", 0, 30, True)]


@pytest.mark.parametrize("is_answered", [True, False])
async def test_time_in_which_nobody_tried_is_not_claimed(seeing: Seeing, *, is_answered: bool) -> None:
    seeing.fails()
    seeing.after(seconds=10)
    seeing.fails(times=1)

    seeing.after(seconds=LONGEST_GAP.total_seconds() + 1)
    if is_answered:
        seeing.health.succeeded("a")
    else:
        seeing.fails(times=1)

    again = [] if is_answered else [("failing", 191, 191, False)]
    assert await seeing.rows() == [("failing", 0, 10, True), *again]


async def test_a_refusal_of_our_key_and_a_failure_of_the_provider_are_two_outages(seeing: Seeing) -> None:
    seeing.fails(cause=Cause.UNREACHABLE)
    seeing.after(seconds=5)
    seeing.fails(times=1, cause=Cause.SILENT)
    seeing.after(seconds=5)
    seeing.fails(times=1, cause=Cause.REFUSES)

    assert await seeing.rows() == [("unreachable", 0, 10, True), ("refuses", 10, 10, False)]


async def test_what_was_written_once_is_not_written_again(seeing: Seeing) -> None:
    seeing.fails()
    before = await seeing.rows()

    assert not seeing.witness.has_news
    assert await seeing.rows() == before


async def test_what_waits_for_postgres_is_bounded_and_the_oldest_goes_first(
    clock: FixedClock, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_WAITING", 3)
    seeing = Seeing(clock, connection)
    for _ in range(5):
        seeing.fails()
        seeing.after(seconds=1)
        seeing.health.succeeded("a")

    assert [row[1] for row in await seeing.rows()] == [2, 3, 4]


async def test_routes_are_kept_with_the_time_of_their_change(seeing: Seeing, connection: asyncpg.Connection) -> None:
    async def routes() -> list[tuple[float, list[str]]]:
        await seeing.witness.write(connection)
        found = await connection.fetch("SELECT since, deployments FROM model_routes ORDER BY since")
        return [((row[0] - seeing.begin).total_seconds(), row[1]) for row in found]

    assert await routes() == [(0, ["a"])]
    seeing.after(seconds=10)
    seeing.witness.use(catalogue("a"))
    assert await routes() == [(0, ["a"])]
    seeing.after(seconds=10)
    seeing.witness.use(catalogue("a", "b"))
    assert await routes() == [(0, ["a"]), (20, ["a", "b"])]
    seeing.after(seconds=10)
    seeing.witness.use(Catalogue([]))
    assert await routes() == [(0, ["a"]), (20, ["a", "b"]), (30, [])]


async def test_routes_that_change_while_they_are_written_are_written_too(
    seeing: Seeing, connection: asyncpg.Connection
) -> None:
    writing = asyncio.create_task(seeing.witness.write(connection))
    await asyncio.sleep(0)  # the question is on its way to Postgres
    seeing.after(seconds=10)
    seeing.witness.use(catalogue("a", "b"))
    await writing

    assert seeing.witness.has_news
    await seeing.witness.write(connection)
    found = await connection.fetch("SELECT deployments FROM model_routes ORDER BY since")
    assert [row[0] for row in found] == [["a"], ["a", "b"]]


async def test_the_last_change_of_a_route_holds_though_a_clock_was_ahead(
    clock: FixedClock, connection: asyncpg.Connection
) -> None:
    ahead = FixedClock(clock.now() + timedelta(hours=1))
    await OutageWatch(ahead, new_id(), catalogue("a")).write(connection)

    await OutageWatch(clock, new_id(), catalogue("b")).write(connection)

    found = await connection.fetch("SELECT deployments FROM model_routes ORDER BY since DESC")
    assert [row[0] for row in found] == [["b"], ["a"]]


async def test_two_processes_see_one_outage_and_a_time_without_any_provider(
    clock: FixedClock, connection: asyncpg.Connection, database: Database
) -> None:
    one, two = Seeing(clock, connection, "a", "b"), Seeing(clock, connection, "a", "b")
    one.fails("a")
    one.after(seconds=10)
    one.fails("b")
    two.fails("a", cause=Cause.SILENT)
    one.after(seconds=10)
    one.health.succeeded("b")
    two.after(seconds=10)
    two.health.succeeded("a")
    for each in (one, two):
        await each.rows()

    async with database.system_uow() as tx:
        times = await times_all_down(
            tx, "assistant", "chat", "eu", start=one.begin - timedelta(days=1), end=clock.now()
        )
        elsewhere = await times_all_down(
            tx, "assistant", "chat", "de", start=one.begin - timedelta(days=1), end=clock.now()
        )
        listed = await outages_since(tx, one.begin)

    # `one` has not tried a again: it knows of no time after its opening, `two` saw it down for 20 s.
    assert [(str(end - start)) for start, end in times] == ["0:00:10"]
    assert elsewhere == []
    assert [(each.deployment, each.gateways, each.is_over) for each in listed] == [
        ("a", 1, True),
        ("b", 1, True),
        ("a", 1, False),
    ]


async def test_how_an_outage_ended_is_not_known_when_its_process_is_gone(
    seeing: Seeing, clock: FixedClock, database: Database
) -> None:
    seeing.fails()
    await seeing.rows()

    async def listed() -> list[tuple[bool | None, int]]:
        async with database.system_uow() as tx:
            return [(one.is_over, one.gateways) for one in await outages_since(tx, seeing.begin)]

    assert await listed() == [(False, 1)]
    clock.advance(LONGEST_GAP + timedelta(seconds=1))
    assert await listed() == [(None, 1)]
