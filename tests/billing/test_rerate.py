"""Usage gets the cost of prices and rates that came later: to the nano, once, and only in the open month."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text

from kontor.billing.metering.budgets.limits import set_budget
from kontor.billing.metering.model import ExchangeRate, ModelPrice, UsageEvent, UsageHour
from kontor.billing.metering.price_book import add_price, load_shipped_prices
from kontor.billing.metering.prices import Cost, Price
from kontor.billing.metering.rerate import Rerated, rerate
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.set_rate import set_rate
from kontor.billing.metering.stored_prices import read_price_book
from kontor.billing.metering.usage import Tokens
from kontor.billing.queries import erase_usage
from kontor.core import audit
from kontor.core.clock import FixedClock, Month
from kontor.core.ids import new_id
from support.metered import Metered

ACTOR = audit.Actor("operator", "prs_operator")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 10, 31, 23, tzinfo=UTC)  # 00:00 in Berlin
SOME = Tokens(input=10, cached=4, output=5)


async def a_price(metered: Metered, currency: str = "EUR", amount: str = "1", begins: datetime = NOVEMBER) -> None:
    """Input, cached and output cost the same."""
    new = NewPrice("openai", "gpt-4.1-mini", currency, Decimal(amount), Decimal(amount))
    async with metered.database.system_uow() as tx:
        await set_price(tx, ACTOR, new, begins)


async def a_rate(metered: Metered, eur: str = "0.5") -> None:
    async with metered.database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal(eur), source="ECB")


async def test_unpriced_calls_get_a_cost_when_their_price_comes(metered: Metered) -> None:
    for hour in range(3):
        metered.call(NOON + timedelta(hours=hour), SOME)
    await metered.record()
    assert await metered.in_hours() == (0, 3)

    await a_price(metered)
    done = await rerate(metered.database, ACTOR)

    assert done == Rerated(events=3, newly_priced=3, cost_nano=3 * 15_000)
    assert await metered.costs() == [15_000] * 3
    assert await metered.in_hours() == (45_000, 0)
    assert await metered.problems() == []


async def test_what_a_budget_has_spent_follows_the_prices(metered: Metered) -> None:
    async with metered.database.system_uow() as tx:
        await set_budget(tx, metered.tenant, "month", cap_nano=10**12)
    metered.call(NOON, SOME)
    await metered.record()
    spent = "SELECT coalesce(sum(spent_nano), 0) FROM budget_periods"

    costs = []
    for amount in ("1", "3"):
        await a_price(metered, amount=amount, begins=NOVEMBER if amount == "1" else NOON - timedelta(hours=1))
        await rerate(metered.database, ACTOR)
        async with metered.database.system_uow() as tx:
            costs.append(int(await tx.scalar(text(spent)) or 0))

    assert costs == [15_000, 45_000]


async def test_unpriced_calls_get_a_cost_when_their_months_rate_comes(metered: Metered) -> None:
    await a_rate(metered)
    await a_price(metered, "USD")
    async with metered.database.system_uow() as tx:
        await tx.execute(text("DELETE FROM exchange_rates"))
    metered.call(NOON, SOME)
    await metered.record()
    assert await metered.costs() == [None]

    await a_rate(metered)

    assert await rerate(metered.database, ACTOR) == Rerated(1, 1, 7_500)
    async with metered.database.system_uow() as tx:
        row = (
            await tx.execute(text("SELECT currency, amount_nano, rate_id IS NULL, cost_nano FROM usage_events"))
        ).one()
    assert tuple(row) == ("USD", 15_000, False, 7_500)
    assert await metered.problems() == []


async def test_a_correction_reaches_calls_from_its_instant_on_and_not_those_before(metered: Metered) -> None:
    await a_price(metered)
    begins = NOON - timedelta(days=2)
    metered.call(begins - timedelta(milliseconds=1), SOME)
    metered.call(begins, SOME)
    metered.call(NOON, SOME)
    await metered.record()

    await a_price(metered, amount="3", begins=begins)
    done = await rerate(metered.database, ACTOR)

    assert done == Rerated(events=2, newly_priced=0, cost_nano=2 * 30_000)
    assert await metered.costs() == [15_000, 45_000, 45_000]
    assert await metered.problems() == []


async def test_a_closed_month_stays_as_it_is(metered: Metered) -> None:
    metered.call(NOVEMBER - timedelta(milliseconds=1), SOME)
    metered.call(NOVEMBER, SOME)
    await metered.record()
    async with metered.database.system_uow() as tx:
        old = Price(new_id(), "openai", "gpt-4.1-mini", "EUR", 1, None, None, 1, datetime(2026, 1, 1, tzinfo=UTC))
        assert await add_price(tx, old, "shipped")

    done = await rerate(metered.database, ACTOR)

    assert done.events == 1
    assert await metered.costs() == [None, 0]
    assert await metered.problems() == []


async def test_a_second_run_changes_nothing_and_only_the_first_is_audited(metered: Metered) -> None:
    metered.call(NOON, SOME)
    await metered.record()
    await a_price(metered)
    await rerate(metered.database, ACTOR)

    assert await rerate(metered.database, ACTOR) == Rerated()

    async with metered.database.system_uow() as tx:
        rows = await tx.execute(text("SELECT target, data FROM audit_entries WHERE action = 'usage.rerated'"))
        assert [tuple(row) for row in rows] == [("2026-11", {"events": 1, "newly_priced": 1, "cost_nano": 15_000})]


async def test_a_run_that_broke_off_is_taken_up_by_the_next_one(metered: Metered) -> None:
    for _ in range(7):
        metered.call(NOON, SOME)
    await metered.record()
    await a_price(metered)
    heard: list[tuple[int, int]] = []

    def break_off(done: Rerated, due: int) -> None:
        heard.append((done.events, due))
        if done.events >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rerate(metered.database, ACTOR, on_progress=break_off, batch=2)

    assert heard == [(2, 7), (4, 7)]
    assert await metered.in_hours() == (4 * 15_000, 3)
    assert await metered.problems() == []
    assert (await rerate(metered.database, ACTOR, batch=2)).events == 3
    assert await metered.in_hours() == (7 * 15_000, 0)
    assert await metered.problems() == []


async def test_runs_beside_each_other_and_beside_recorders_count_nothing_twice(metered: Metered) -> None:
    """Each writer has many rows of the same few hours in its hands at once."""
    other = await Metered(metered.database, metered.folder.with_name("other")).open()
    for number in range(600):
        metered.call(NOON + timedelta(minutes=number % 240), SOME)
    await metered.record()
    await a_price(metered)
    for number in range(600):
        for one in (metered, other):
            one.call(NOON + timedelta(minutes=(7 * number) % 240), SOME)

    runs = (rerate(metered.database, ACTOR, batch=50) for _ in range(3))
    await asyncio.wait_for(asyncio.gather(metered.record(), other.record(), *runs), timeout=60)
    await rerate(metered.database, ACTOR)

    assert await metered.costs() == [15_000] * 1800
    assert await metered.in_hours() == (1800 * 15_000, 0)
    assert await metered.problems() == []
    await other.close()


async def test_a_call_that_a_recorder_priced_by_yesterdays_list_is_found_by_the_next_run(metered: Metered) -> None:
    await a_price(metered)
    connection = await asyncpg.connect(metered.link.url)
    stale = await read_price_book(connection)
    await connection.close()
    await a_price(metered, amount="2", begins=NOON - timedelta(days=1))
    metered.call(NOON, SOME)
    await metered.record()
    cost = stale.cost("openai", "gpt-4.1-mini", SOME, NOON)
    async with metered.database.system_uow() as tx:
        await tx.execute(
            text("UPDATE usage_events SET price_id = :p, cost_nano = :c, amount_nano = :c"),
            {"p": cost.price, "c": cost.cost_nano},
        )
        await tx.execute(text("UPDATE usage_hourly SET cost_nano = :c"), {"c": cost.cost_nano})

    await rerate(metered.database, ACTOR)

    assert await metered.costs() == [30_000]
    assert await metered.problems() == []


async def test_a_call_that_a_recorder_priced_by_a_rate_that_was_replaced_is_found_too(metered: Metered) -> None:
    await a_rate(metered)
    await a_price(metered, "USD")
    metered.call(NOON, SOME)
    await metered.record()
    async with metered.database.system_uow() as tx:
        await tx.execute(text("UPDATE exchange_rates SET id = gen_random_uuid(), nano_eur = 2 * nano_eur"))

    done = await rerate(metered.database, ACTOR)

    assert done == Rerated(events=1, newly_priced=0, cost_nano=7_500)
    assert await metered.costs() == [15_000]
    assert await metered.problems() == []


async def test_a_tenant_that_is_erased_meanwhile_leaves_nothing_behind(metered: Metered) -> None:
    for _ in range(200):
        metered.call(NOON, SOME)
    await metered.record()
    await a_price(metered)

    async def erase() -> None:
        async with metered.database.uow(metered.tenant) as tx:
            await erase_usage(tx, metered.tenant)

    await asyncio.wait_for(asyncio.gather(rerate(metered.database, ACTOR, batch=10), erase()), timeout=60)

    assert await metered.costs() == []
    assert await metered.in_hours() == (0, 0)
    assert await metered.problems() == []


async def test_the_erasure_waits_for_a_batch_instead_of_meeting_it_half_way(metered: Metered) -> None:
    """Both want the tenant's events and hours; who has the keys goes first."""
    metered.call(NOON, SOME)
    await metered.record()
    await a_price(metered)
    async with metered.database.system_uow() as tx:
        await tx.execute(text("SELECT id FROM gateway_keys FOR KEY SHARE"))

        async def erase() -> None:
            async with metered.database.uow(metered.tenant) as theirs:
                await erase_usage(theirs, metered.tenant)

        erasing = asyncio.create_task(erase())
        done = await rerate(metered.database, ACTOR)
        assert not erasing.done()
    await erasing

    assert done.events == 1
    assert await metered.problems() == []


TOKENS = st.builds(
    lambda plain, cached, written, output: Tokens(plain + cached + written, cached, written, output),
    *[st.integers(0, 2**20) for _ in range(3)],
    st.integers(0, 2**30),
)
NANO = st.integers(0, 10**14)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(st.tuples(TOKENS, st.integers(0, 86_400_000 - 1)), min_size=1, max_size=12),
    prices=st.lists(
        st.tuples(
            NANO, st.none() | NANO, st.none() | NANO, NANO, st.sampled_from(["EUR", "USD"]), st.integers(0, 86_400)
        ),
        max_size=4,
    ),
    nano_eur=st.none() | st.integers(1, 10**10),
)
async def test_a_rerated_call_costs_to_the_nano_what_the_price_book_says(
    metered: Metered,
    calls: list[tuple[Tokens, int]],
    prices: list[tuple[int, int | None, int | None, int, str, int]],
    nano_eur: int | None,
) -> None:
    day = datetime(2026, 11, 20, tzinfo=UTC)
    async with metered.database.system_uow() as tx:
        for table in (UsageEvent, UsageHour, ModelPrice, ExchangeRate):
            await tx.execute(delete(table))
    made = {metered.call(day + timedelta(milliseconds=ms), tokens): (tokens, ms) for tokens, ms in calls}
    await metered.record()

    async with metered.database.system_uow() as tx:
        for input_, cached, written, output, currency, second in prices:
            begins = day + timedelta(seconds=second)
            price = Price(new_id(), "openai", "gpt-4.1-mini", currency, input_, cached, written, output, begins)
            await add_price(tx, price, "operator")
        if nano_eur is not None:
            await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal(nano_eur) / 10**9, source="-")
    await rerate(metered.database, ACTOR, batch=5)

    async with metered.database.system_uow() as tx:
        book = await read_price_book(await tx.driver())
        rows = await tx.execute(
            text("SELECT id, currency, amount_nano, price_id, rate_id, cost_nano FROM usage_events")
        )
        found: dict[UUID, Cost] = {row[0]: Cost(*row[1:]) for row in rows}
    assert found == {
        event: book.cost("openai", "gpt-4.1-mini", tokens, day + timedelta(milliseconds=ms))
        for event, (tokens, ms) in made.items()
    }
    assert await metered.problems() == []


async def test_shipped_prices_do_not_touch_what_has_its_price(metered: Metered, clock: FixedClock) -> None:
    async with metered.database.system_uow() as tx:
        await load_shipped_prices(tx)
    metered.call(NOON, SOME)
    await metered.record()

    clock.advance(timedelta(hours=1))

    assert await rerate(metered.database, ACTOR) == Rerated()
