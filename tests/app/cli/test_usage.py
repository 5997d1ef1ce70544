"""What was metered, checked by the command line."""

from datetime import UTC, datetime

from kontor.billing.metering.model import UsageHour
from kontor.core.db import Database
from support.commands import Commands
from support.tenants import a_tenant


async def test_sums_that_are_those_of_the_calls_pass(kontor: Commands) -> None:
    ended = await kontor.run("usage", "verify", "--json")

    assert (ended.code, ended.json) == (0, {"ok": True, "differences": []})


async def test_a_sum_without_calls_is_found_and_ends_with_1(kontor: Commands, database: Database) -> None:
    tenant = await a_tenant(database)
    async with database.system_uow() as tx:
        tx.add(
            UsageHour(
                tenant_id=tenant,
                hour=datetime(2026, 11, 23, 9, tzinfo=UTC),
                model="m",
                events=1,
                unpriced_events=0,
                estimated_events=0,
                input_tokens=10,
                cached_tokens=0,
                cache_write_tokens=0,
                output_tokens=5,
                reasoning_tokens=0,
                cost_nano=7,
            )
        )

    ended = await kontor.run("usage", "verify")

    assert ended.code == 1
    assert f"tenant {tenant}, hour 2026-11-23 09:00Z, model m" in ended.out
