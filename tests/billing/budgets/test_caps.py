"""Who may set which cap, and where a tenant's budget stands."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from kontor.billing import plans
from kontor.billing.errors import CapTooHigh, ChangedMeanwhile
from kontor.billing.metering.budgets.limits import Caps, set_operator_cap, set_own_caps, set_plan_budget
from kontor.billing.metering.budgets.standing import TenantBudget, tenant_budget
from kontor.billing.metering.usage import Tokens
from kontor.core.audit import Actor
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.ids import TenantId, new_id
from support.metered import Metered

EURO = 1_000_000_000
ADA = Actor("person", "prs_ada")


class Company:
    """A tenant with a plan, whose units of work are its own: row-level security holds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tenant = TenantId(new_id())

    async def has(self, plan: str = "professional", seats: int = 10, *, is_pilot: bool = False) -> None:
        async with self.database.uow(self.tenant) as tx:
            await set_plan_budget(tx, self.tenant, plans.load(), plan, seats, is_pilot=is_pilot)

    async def sets(self, month: int | None, day: int | None = None, *, expected: int = 1) -> None:
        caps = Caps(month and month * EURO, day and day * EURO)
        async with self.database.uow(self.tenant) as tx:
            await set_own_caps(tx, self.tenant, caps, ADA, expected=expected)

    async def stands(self) -> TenantBudget:
        async with self.database.uow(self.tenant) as tx:
            found = await tenant_budget(tx, self.tenant)
        assert found is not None
        return found


@pytest.fixture
def company(database: Database) -> Company:
    return Company(database)


async def test_a_tenant_caps_its_month_below_or_above_what_is_included(company: Company) -> None:
    await company.has()

    await company.sets(60)
    below = await company.stands()
    await company.sets(500, expected=2)
    above = await company.stands()
    await company.sets(None, expected=3)
    without = await company.stands()

    assert [one.plan.cap_nano for one in (below, above, without)] == [60 * EURO, 500 * EURO, None]
    assert {one.plan.highest_cap_nano for one in (below, above, without)} == {None}
    assert [one.revision for one in (below, above, without)] == [2, 3, 4]


async def test_a_second_admin_who_has_seen_the_old_caps_is_refused(company: Company) -> None:
    await company.has()
    await company.sets(60)

    with pytest.raises(ChangedMeanwhile):
        await company.sets(70)

    assert (await company.stands()).plan.cap_nano == 60 * EURO


async def test_a_pilot_may_spend_less_than_its_plan_allows_and_never_more(company: Company) -> None:
    await company.has(is_pilot=True)

    with pytest.raises(CapTooHigh) as refused:
        await company.sets(26)
    await company.sets(10)

    assert "25,00 EUR" in refused.value.text.de
    stands = (await company.stands()).plan
    assert (stands.period, stands.ends_at, stands.cap_nano, stands.highest_cap_nano) == (
        "total",
        None,
        10 * EURO,
        25 * EURO,
    )


async def test_the_operators_cap_stands_in_for_a_pilots_and_above_a_tenants_own(company: Company) -> None:
    await company.has(is_pilot=True)
    async with company.database.uow(company.tenant) as tx:
        await set_operator_cap(tx, company.tenant, 40 * EURO, ADA)

    raised = (await company.stands()).plan
    await company.sets(30, expected=2)
    async with company.database.uow(company.tenant) as tx:
        await set_operator_cap(tx, company.tenant, 5 * EURO, ADA)
    lowered = (await company.stands()).plan
    async with company.database.uow(company.tenant) as tx:
        await set_operator_cap(tx, company.tenant, None, ADA)

    assert raised.cap_nano == 40 * EURO
    assert (lowered.cap_nano, lowered.own_cap_nano) == (5 * EURO, 30 * EURO)
    assert (await company.stands()).plan.cap_nano == 25 * EURO


async def test_binding_the_plan_again_keeps_caps(company: Company) -> None:
    await company.has()
    await company.sets(60, 5)

    await company.has(seats=20)

    stands = await company.stands()
    assert stands.plan.cap_nano == 60 * EURO
    assert stands.day is not None
    assert stands.day.cap_nano == 5 * EURO


async def test_a_cap_needs_the_budget_of_a_plan(company: Company) -> None:
    with pytest.raises(NotFound):
        await company.sets(60)


async def test_another_tenants_caps_are_not_there(company: Company, database: Database) -> None:
    await company.has()
    other = Company(database)

    async with database.uow(other.tenant) as tx:
        with pytest.raises(NotFound):
            await set_own_caps(tx, company.tenant, Caps(1, None), ADA, expected=1)
        assert await tenant_budget(tx, company.tenant) is None


async def test_a_cap_of_the_day_has_counted_what_the_day_had_spent(metered: Metered) -> None:
    company = Company(metered.database)
    company.tenant = metered.tenant
    at = metered.database.clock.now()
    async with metered.database.system_uow() as tx:
        await tx.execute(
            text(
                "INSERT INTO model_prices (id, provider, model, currency, input_nano_per_million, "
                "output_nano_per_million, valid_from) VALUES (:id, 'openai', 'gpt-4.1-mini', 'EUR', :n, :n, :at)"
            ),
            {"id": new_id(), "n": 1_000_000 * EURO // 1_000_000, "at": datetime(2026, 1, 1, tzinfo=UTC)},
        )
    metered.call(at, Tokens(input=3_000_000))
    metered.call(at - timedelta(days=1), Tokens(input=4_000_000))
    metered.call(at, Tokens(input=1), model="nobody-knows")
    await metered.record()

    await company.has("starter", 30)
    await company.sets(None, 12)

    stands = await company.stands()
    assert stands.day is not None
    assert (stands.day.spent_nano, stands.day.percent) == (3 * EURO, Decimal("25.0"))
    assert stands.plan.spent_nano == 7 * EURO
    assert stands.unpriced == 1


async def test_the_month_begins_and_ends_at_midnight_in_berlin_and_its_first_counts_by_days(
    company: Company, database: Database
) -> None:
    assert isinstance(database.clock, FixedClock)
    await company.has("starter", 6)  # 30 EUR, on 23 November: 8 days of 30

    stands = (await company.stands()).plan
    database.clock.advance(timedelta(days=8))
    december = (await company.stands()).plan

    assert (stands.begins, stands.starts_at) == (date(2026, 11, 1), datetime(2026, 10, 31, 23, tzinfo=UTC))
    assert stands.ends_at == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert (stands.included_nano, december.included_nano) == (8 * EURO, 30 * EURO)
