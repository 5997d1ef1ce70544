"""Shares of a budget are told once each: of the plan's allowance, of a cap, and of no budget that is over."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from kontor.billing.events import AllowanceReached
from kontor.billing.metering.budgets.alerts import tell_due
from kontor.billing.metering.budgets.limits import set_budget
from kontor.billing.metering.budgets.periods import Period
from kontor.core.clock import FixedClock, day_of
from kontor.core.db import Database
from kontor.core.ids import TenantId, new_id

CENT = 10_000_000


class Told:
    """What was published, in its order."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.subscribe({AllowanceReached: ("told",)})

    async def events(self) -> list[str]:
        async with self.database.system_uow() as tx:
            rows = await tx.scalars(
                text("SELECT convert_from(payload, 'utf8') FROM pgqueuer WHERE entrypoint = 'told' ORDER BY id")
            )
            return [str(row) for row in rows]


@pytest.fixture
def told(database: Database) -> Told:
    return Told(database)


async def spends(database: Database, tenant: TenantId, nano: int) -> None:
    async with database.system_uow() as tx:
        await tx.execute(
            text("UPDATE budget_periods SET spent_nano = :nano WHERE tenant_id = :tenant"),
            {"nano": nano, "tenant": tenant},
        )


@pytest.mark.parametrize(("period", "is_cap"), [("month", False), ("total", True)])
async def test_each_share_is_told_once(database: Database, told: Told, period: Period, *, is_cap: bool) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        cap = 100 * CENT if is_cap else None
        await set_budget(tx, tenant, period, allowance_nano=100 * CENT, cap_nano=cap)
        # The first of the month, so that all of it is included.
        first = {"first": day_of(tx.now).replace(day=1)}
        await tx.execute(text("UPDATE budgets SET since = :first"), first)
        await tx.execute(text("UPDATE budget_periods SET begins = :first"), first)
    counts = []

    for cents in (49, 50, 60, 85, 120, 300):
        await spends(database, tenant, cents * CENT)
        counts.append((await tell_due(database), await tell_due(database)))

    assert counts == [(0, 0), (1, 0), (0, 0), (1, 0), (1, 0), (0, 0)]
    events = await told.events()
    assert ["50" in events[0], "80" in events[1], "100" in events[2]] == [True] * 3
    assert all(f'is_cap\\":{str(is_cap).lower()}' in event.replace(" ", "") for event in events)


async def test_the_budget_of_a_key_and_one_without_a_bound_are_told_to_nobody(database: Database, told: Told) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "month")
        await set_budget(tx, tenant, "day", cap_nano=CENT, key=new_id())  # type: ignore[arg-type]
    await spends(database, tenant, 10 * CENT)

    assert await tell_due(database) == 0
    assert await told.events() == []


async def test_a_month_that_is_over_is_not_told_any_more(database: Database, told: Told) -> None:
    assert isinstance(database.clock, FixedClock)
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "month", cap_nano=CENT)
    await spends(database, tenant, CENT)

    database.clock.advance(timedelta(days=40))

    assert await tell_due(database) == 0
    assert await told.events() == []


async def test_shares_are_of_a_cap_that_lies_below_what_is_included(database: Database, told: Told) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "month", allowance_nano=1000 * CENT, cap_nano=100 * CENT)
    await spends(database, tenant, 100 * CENT)

    assert await tell_due(database) == 1
    [event] = await told.events()
    assert 'is_cap\\":true' in event.replace(" ", "")


@pytest.mark.usefixtures("told")
async def test_a_share_of_a_cap_that_was_raised_is_told_anew(database: Database) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "month", cap_nano=100 * CENT)
    await spends(database, tenant, 100 * CENT)
    assert await tell_due(database) == 1

    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "month", cap_nano=200 * CENT)
    at_half = await tell_due(database)
    await spends(database, tenant, 160 * CENT)

    assert (at_half, await tell_due(database)) == (0, 1)


@pytest.mark.usefixtures("told")
async def test_of_a_day_only_its_end_is_told(database: Database) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await set_budget(tx, tenant, "day", cap_nano=100 * CENT)
    await spends(database, tenant, 85 * CENT)
    early = await tell_due(database)
    await spends(database, tenant, 100 * CENT)

    assert (early, await tell_due(database)) == (0, 1)
