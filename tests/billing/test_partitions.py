"""The months of usage events: made ahead, once, and without losing what came before them."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text

from kontor.app.worker import work_of
from kontor.billing.metering.partitions import SCHEDULE, make_months
from kontor.billing.metering.usage import Tokens
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.tenants.provisioning.fake import FakeRuntime
from support.metered import Metered
from support.web import Web

LATER = datetime(2031, 3, 31, 23, 59, tzinfo=UTC)
_WHERE = "SELECT tableoid::regclass::text, count(*) FROM usage_events GROUP BY 1 ORDER BY 1"


async def places(database: Database) -> dict[str, int]:
    """How many events stand in which partition."""
    async with database.system_uow() as tx:
        return dict((await tx.execute(text(_WHERE))).all())


async def test_the_next_months_are_there_before_their_first_event(database: Database, metered: Metered) -> None:
    now = database.clock.now()
    for days in (-400, 0, 40, 80):
        metered.call(now + timedelta(days=days), Tokens(input=1))

    await metered.record()

    assert "usage_events_rest" not in await places(database)


async def test_events_of_a_month_that_nobody_made_move_into_it_and_a_replay_still_finds_them(
    database: Database, clock: FixedClock, metered: Metered
) -> None:
    for at in (LATER, LATER + timedelta(minutes=1), LATER + timedelta(days=70)):
        metered.call(at, Tokens(input=7))
    assert await metered.record() == 3
    before = await places(database)
    clock.advance(LATER - clock.now() - timedelta(days=60))

    made = await asyncio.gather(make_months(database), make_months(database))

    assert before == {"usage_events_rest": 3}
    assert 0 in made
    assert sum(made) > 24
    assert await places(database) == {"usage_events_2031_03": 1, "usage_events_2031_04": 1, "usage_events_rest": 1}
    assert await metered.problems() == []
    async with database.system_uow() as tx:
        again = text("INSERT INTO usage_events SELECT * FROM usage_events ON CONFLICT DO NOTHING RETURNING id")
        assert (await tx.execute(again)).all() == []


async def test_the_worker_makes_them_every_night_and_once(web: Web, clock: FixedClock) -> None:
    schedules = {one.name: one for one in work_of(web.container, FakeRuntime()).schedules}
    clock.advance(timedelta(days=365))

    await schedules[SCHEDULE].run()

    assert await make_months(web.container.database) == 0
    async with web.container.database.system_uow() as tx:
        assert await tx.scalar(text("SELECT to_regclass('usage_events_2028_01') IS NOT NULL"))


async def test_no_role_reaches_a_partition_past_its_tables_policies(database: Database, metered: Metered) -> None:
    metered.call(database.clock.now(), Tokens(input=1))
    await metered.record()
    (partition,) = await places(database)
    urls = database.urls

    for url in (urls.app, urls.system, urls.gateway):
        connection = await asyncpg.connect(url)
        for name in (partition, "usage_events_rest"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {name}")  # noqa: S608 - our own name
        if url != urls.system:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval("SELECT make_usage_partitions('2040-01-01')")
        await connection.close()
