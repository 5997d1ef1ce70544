"""From journal to Postgres, and what the tenant reads of it there."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from kontor.billing.errors import KeyUnknown
from kontor.billing.metering import gateway_keys
from kontor.billing.metering.journal import Journal, backlog
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import Recorder
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.billing.queries import CSV_COLUMNS, differences, erase_usage, total, usage_csv, usage_of_month
from kontor.core.clock import Month
from kontor.core.db import Database
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id


class Books:
    """A tenant with a key, a journal and a recorder on the test's database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.journal = Journal(folder)
        self.link = Link(database.urls.gateway)
        self.recorder = Recorder(self.journal, self.link)

    async def open(self) -> None:
        self.tenant, self.instance = TenantId(new_id()), InstanceId(new_id())
        async with self.database.system_uow() as tx:
            await load_shipped_prices(tx)
            await gateway_keys.issue_key(tx, self.instance)
            await gateway_keys.bind_key(tx, self.instance, self.tenant)
            found = await tx.scalar(text("SELECT id FROM gateway_keys WHERE instance_id = :i"), {"i": self.instance})
        assert isinstance(found, UUID)
        self.key = GatewayKeyId(found)

    def call(self, at: datetime, *, model: str = "kontor-demo", output: int = 5) -> Call:
        """An ended call, in the journal."""
        call = Call(
            UsageEventId(new_id(at)), self.tenant, self.instance, self.key, "assistant", model, "builtin", Tokens()
        )
        ended = call.ended(Tokens(input=10, cached=4, output=output), Outcome.ANSWERED, 12, 3)
        self.journal.close(self.journal.open(call), ended)
        return ended

    async def problems(self) -> list[str]:
        async with self.database.system_uow() as tx:
            return await differences(tx)


@pytest.fixture
async def books(database: Database, tmp_path: Path) -> AsyncIterator[Books]:
    made = Books(database, tmp_path / "journal")
    await made.open()
    yield made
    made.journal.end()
    await made.link.close()


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_a_call_becomes_an_event_and_part_of_its_hour(books: Books) -> None:
    for minute in (0, 59, 60):
        books.call(NOON + timedelta(minutes=minute))

    assert await books.recorder.flush() == 3

    async with books.database.uow(books.tenant) as tx:
        hours = (await tx.execute(text("SELECT hour, events, cost_nano FROM usage_hourly ORDER BY 1"))).all()
    each = 6 * 150 + 4 * 75 + 5 * 600
    assert [tuple(row) for row in hours] == [(NOON, 2, 2 * each), (NOON + timedelta(hours=1), 1, each)]
    assert await books.problems() == []
    assert backlog(books.folder) == 0


async def test_a_replayed_batch_changes_nothing(books: Books) -> None:
    calls = [books.call(NOON) for _ in range(1200)]
    assert await books.recorder.flush() == 1200

    again = Journal(books.folder)
    for call in calls:
        again.close(again.open(call), call)
    assert await Recorder(again, books.link).flush() == 0

    assert await books.problems() == []
    again.end()


async def test_a_call_without_a_known_price_is_unpriced_and_says_so(books: Books) -> None:
    books.call(NOON)
    books.call(NOON, model="brand-new")

    await books.recorder.flush()

    async with books.database.uow(books.tenant) as tx:
        days = await usage_of_month(tx, books.tenant, Month(2026, 11))
    assert [(day.model, day.used.unpriced, day.used.cost_nano) for day in days] == [
        ("brand-new", 1, 0),
        ("kontor-demo", 0, 4200),
    ]
    assert usage_csv(days).splitlines() == [
        ",".join(CSV_COLUMNS),
        "2026-11-23,brand-new,10,5,",
        "2026-11-23,kontor-demo,10,5,0.000004",
    ]


async def test_days_are_those_of_berlin_also_when_the_clocks_change(books: Books) -> None:
    """The night of 25 October 2026 has 25 hours; 1 November begins at 23:00 UTC of the day before."""
    for at in (
        datetime(2026, 10, 24, 21, 59, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 22, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
        datetime(2026, 10, 31, 23, 0, tzinfo=UTC),
    ):
        books.call(at)
    await books.recorder.flush()

    async with books.database.uow(books.tenant) as tx:
        october = await usage_of_month(tx, books.tenant, Month(2026, 10))
        november = await usage_of_month(tx, books.tenant, Month(2026, 11))

    assert [(row.day, row.used.calls) for row in october] == [
        (date(2026, 10, 24), 1),
        (date(2026, 10, 25), 2),
        (date(2026, 10, 26), 1),
    ]
    assert [(row.day, row.used.calls) for row in november] == [(date(2026, 11, 1), 1)]
    assert total(october).calls == 4


async def test_a_tenant_sees_its_own_usage_only(books: Books) -> None:
    books.call(NOON)
    await books.recorder.flush()

    async with books.database.uow(TenantId(new_id())) as tx:
        assert await usage_of_month(tx, books.tenant, Month(2026, 11)) == []
        assert (await tx.execute(text("SELECT * FROM usage_events"))).all() == []
        assert (await tx.execute(text("SELECT * FROM gateway_keys"))).all() == []


async def test_usage_of_an_erased_tenant_is_dropped_and_not_revived(books: Books) -> None:
    books.call(NOON)
    await books.recorder.flush()
    books.call(NOON)

    async with books.database.uow(books.tenant) as tx:
        assert await erase_usage(tx, books.tenant) == 1
    assert await books.recorder.flush() == 0

    assert backlog(books.folder) == 0
    assert await books.problems() == []


async def test_the_gateways_role_can_meter_and_nothing_else(books: Books) -> None:
    connection = await asyncpg.connect(books.link.url)
    try:
        for statement in (
            "UPDATE gateway_keys SET tenant_id = NULL",
            "INSERT INTO gateway_keys (id) VALUES (gen_random_uuid())",
            "DELETE FROM usage_events",
            "UPDATE usage_events SET cost_nano = 0",
            "UPDATE model_prices SET input_nano_per_million = 0",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM gateway_keys") == 1
    finally:
        await connection.close()


async def test_while_postgres_is_away_the_journal_keeps_everything(books: Books) -> None:
    books.call(NOON)
    away = Recorder(books.journal, Link("postgresql://kontor_gateway@127.0.0.1:9/none"))

    with pytest.raises(DatabaseAway):
        await away.flush()

    assert backlog(books.folder) == 1
    assert await books.recorder.flush() == 1


async def test_a_key_that_belongs_to_another_tenant_cannot_be_bound_anew(books: Books) -> None:
    with pytest.raises(KeyUnknown):
        async with books.database.system_uow() as tx:
            await gateway_keys.bind_key(tx, books.instance, TenantId(new_id()))

    async with books.database.system_uow() as tx:
        await gateway_keys.bind_key(tx, books.instance, books.tenant)


async def test_sums_that_do_not_match_their_events_are_found(books: Books) -> None:
    books.call(NOON)
    await books.recorder.flush()
    async with books.database.system_uow() as tx:
        await tx.execute(text("UPDATE usage_hourly SET cost_nano = cost_nano + 1"))

    [problem] = await books.problems()

    assert str(books.tenant) in problem
