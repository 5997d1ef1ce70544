"""Our calls beside what the provider says it counted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from kontor.billing.metering.provider_exports.read import read_export
from kontor.billing.metering.reconcile import Reconciled, reconcile
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.set_rate import set_rate
from kontor.billing.metering.usage import Source, Tokens
from kontor.core import audit
from kontor.core.clock import Month
from support.metered import Metered

ACTOR = audit.Actor("operator", "prs_operator")
HEADER = "day,model,requests,input_tokens,cached_tokens,output_tokens,cost,currency\n"
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


async def compare(metered: Metered, rows: str, tolerance: str = "0.5") -> Reconciled:
    export = read_export("openai", (HEADER + rows).encode())
    async with metered.database.system_uow() as tx:
        return await reconcile(tx, "openai", export, Decimal(tolerance))


@pytest.fixture
async def used(metered: Metered) -> Metered:
    """Two days of UTC, of which Berlin sees three: 1000 input, 400 cached, 200 output tokens each."""
    async with metered.database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal("0.5"), source="ECB")
        price = NewPrice("openai", "gpt-4.1-mini", "USD", Decimal(1000), Decimal(2000), Decimal(500))
        await set_price(tx, ACTOR, price, Month(2026, 11).start)
    for at in (MIDNIGHT, MIDNIGHT + timedelta(hours=23, minutes=59), MIDNIGHT + timedelta(days=1)):
        metered.call(at, Tokens(input=1000, cached=400, output=200))
    metered.call(MIDNIGHT, Tokens())  # refused by the provider
    metered.call(MIDNIGHT, Tokens(input=5), provider="anthropic")
    await metered.record()
    return metered


FIRST = "2026-11-22,gpt-4.1-mini-2025-04-14,2,2000,800,400,2.4,USD\n"
SECOND = "2026-11-23,gpt-4.1-mini,1,1000,400,200,1.2,USD\n"


async def test_what_both_count_alike_is_no_difference(used: Metered) -> None:
    done = await compare(used, FIRST + SECOND)

    assert len(done.compared) == 10
    assert done.differing == []
    assert (done.estimated, done.unpriced) == (0, 0)


async def test_a_difference_is_told_with_its_part_of_the_providers_sum(used: Metered) -> None:
    done = await compare(used, FIRST.replace("2000", "1600") + SECOND)

    [one] = done.differing
    assert (str(one.day), one.model, one.measure) == ("2026-11-22", "gpt-4.1-mini", "input_tokens")
    assert (one.ours, one.theirs, one.difference, one.pct) == (2000, 1600, 400, 25)
    assert done.beyond == [one]


@pytest.mark.parametrize(("theirs", "is_beyond"), [(1990, True), (1991, False), (2010, False), (2011, True)])
async def test_half_a_percent_is_in_order_and_more_is_not(used: Metered, theirs: int, *, is_beyond: bool) -> None:
    done = await compare(used, FIRST.replace("2000", str(theirs)) + SECOND)

    assert len(done.differing) == 1
    assert bool(done.beyond) == is_beyond


async def test_a_model_that_only_one_side_knows_differs_in_full(used: Metered) -> None:
    done = await compare(used, FIRST + "2026-11-23,gpt-5,1,10,0,2,,\n")

    ours = [(one.measure, one.difference, one.pct) for one in done.beyond if one.model == "gpt-4.1-mini"]
    theirs = [(one.measure, one.difference, one.pct) for one in done.beyond if one.model == "gpt-5"]
    assert ours == [
        ("requests", 1, None),
        ("input_tokens", 1000, None),
        ("cached_tokens", 400, None),
        ("output_tokens", 200, None),
        ("cost", Decimal("1.2"), None),
    ]
    assert theirs == [("requests", -1, -100), ("input_tokens", -10, -100), ("output_tokens", -2, -100)]


async def test_only_the_days_of_the_export_and_what_it_counts_are_compared(used: Metered) -> None:
    done = await compare(used, "2026-11-22,gpt-4.1-mini,,,,400,,\n")

    assert [(str(one.day), one.measure) for one in done.compared] == [("2026-11-22", "output_tokens")]
    assert done.beyond == []


@pytest.mark.parametrize(
    ("theirs", "is_beyond"),
    [("2.40", False), ("2.41", True), ("2.39", True), ("2.4", True), ("2.404", False), ("2.400", True)],
)
async def test_what_the_provider_rounded_to_cents_is_not_held_against_it(
    used: Metered, theirs: str, *, is_beyond: bool
) -> None:
    """Ours is 2.404; a file with one decimal, or with three, was not rounded to cents."""
    used.call(MIDNIGHT, Tokens(input=4))
    await used.record()

    done = await compare(used, f"2026-11-22,gpt-4.1-mini,,,,,{theirs},USD\n", tolerance="0")

    assert bool(done.beyond) == is_beyond


async def test_estimates_and_calls_without_a_cost_are_counted_for_who_wonders(used: Metered) -> None:
    used.call(MIDNIGHT, Tokens(input=7, source=Source.ESTIMATED), model="gpt-6")
    await used.record()

    done = await compare(used, FIRST + SECOND)

    assert (done.estimated, done.unpriced) == (1, 1)
