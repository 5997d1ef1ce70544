"""Importing published prices: what is taken, what is left alone, and why."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Provider
from sqlalchemy import text

from kontor.billing.errors import PriceRefused
from kontor.billing.metering.price_book import last_price, load_shipped_prices
from kontor.billing.metering.price_sync import Found, Pair, Synced, sync_prices, used_pairs
from kontor.billing.metering.published_prices import SOURCE, Published, Unusable, published_models, published_price
from kontor.billing.metering.rerate import rerate
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.set_rate import set_rate
from kontor.billing.metering.usage import Tokens
from kontor.core import audit
from kontor.core.clock import FixedClock, Month
from kontor.core.db import Database
from support.metered import Metered

ACTOR = audit.Actor("operator", "prs_operator")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TODAY = NOW.date()
MINI: Pair = ("openai", "gpt-4.1-mini")


def published(input_: str, output: str = "2", cached: str | None = None) -> Published:
    return Published(Decimal(input_), Decimal(output), Decimal(cached) if cached else None, None)


async def sync(
    database: Database, *pairs: Pair, offer: Published | Unusable | None = None, **more: object
) -> list[Synced]:
    if offer is not None:
        more["catalogue"] = lambda *_: offer
    async with database.system_uow() as tx:
        return await sync_prices(tx, ACTOR, pairs, **more)  # type: ignore[arg-type]


async def rows(database: Database) -> int:
    async with database.system_uow() as tx:
        return int(await tx.scalar(text("SELECT count(*) FROM model_prices")) or 0)


# --- what the package says


def test_a_price_that_the_shipped_file_has_too_is_the_same_there() -> None:
    assert published_price(*MINI, TODAY) == published("0.4", "1.6", "0.1")


def test_a_name_with_its_date_counts_where_it_is_listed_in_full() -> None:
    assert published_price("openai", "gpt-4.1-mini-2025-04-14", TODAY) == published_price(*MINI, TODAY)


@pytest.mark.parametrize("model", ["claude-haiku-4-5-20991231", "claude-haiku-4-5x", "CLAUDE-HAIKU-4-5"])
def test_a_name_that_only_begins_like_a_listed_one_has_no_price(model: str) -> None:
    assert isinstance(published_price("anthropic", "claude-haiku-4-5", TODAY), Published)

    assert published_price("anthropic", model, TODAY) == Unusable("not listed under exactly this name")


def test_a_price_that_begins_on_a_date_is_that_of_the_day() -> None:
    assert published_price("mistral", "mistral-small-latest", date(2026, 3, 15)) == published("0.1", "0.3")
    assert published_price("mistral", "mistral-small-latest", date(2026, 3, 16)) == published("0.15", "0.6", "0.015")


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("anthropic", "claude-sonnet-4-5", "the price depends on the length of the context"),
        ("deepseek", "deepseek-chat", "the price depends on the time of day, or has not begun"),
        ("openai", "text-embedding-3-small", "no price of input and output tokens"),
        ("perplexity", "sonar", "also costs requests_kcount, which we do not meter"),
        ("builtin", "kontor-demo", "genai-prices does not know the provider builtin"),
    ],
)
def test_a_price_that_would_have_to_be_guessed_is_none(provider: str, model: str, reason: str) -> None:
    assert published_price(provider, model, TODAY) == Unusable(reason)


def test_a_name_that_is_listed_twice_has_no_price() -> None:
    one, other = (
        ModelInfo(name, ClauseEquals("twice"), prices=ModelPrice(input_mtok=Decimal(amount), output_mtok=Decimal(9)))
        for name, amount in (("a", 1), ("b", 2))
    )
    set_custom_snapshot(DataSnapshot([Provider("openai", "OpenAI", "", models=[one, other])], from_auto_update=False))
    try:
        assert isinstance(published_price("openai", "a", TODAY), Published)
        assert published_price("openai", "twice", TODAY) == Unusable("listed more than once")
    finally:
        set_custom_snapshot(None)


def test_whatever_is_usable_is_an_amount_that_our_table_holds() -> None:
    usable = [
        price
        for provider in ("openai", "anthropic", "mistral")
        for model in published_models(provider)
        if isinstance(price := published_price(provider, model, TODAY), Published)
    ]

    assert len(usable) > 50
    assert all(0 <= price.input <= price.output + price.input < 1000 for price in usable)


# --- what becomes of it


async def test_new_prices_are_taken_once_and_a_second_sync_changes_nothing(database: Database) -> None:
    pairs = (MINI, ("mistral", "mistral-small-latest"), ("builtin", "kontor-demo"))

    first = await sync(database, *pairs)
    second = await sync(database, *pairs)

    assert [one.found for one in first] == [Found.SKIPPED, Found.NEW, Found.NEW]
    assert [one.found for one in second] == [Found.SKIPPED, Found.UNCHANGED, Found.UNCHANGED]
    assert await rows(database) == 2
    async with database.system_uow() as tx:
        newest = await last_price(tx, *MINI)
    assert newest is not None
    assert newest.source == SOURCE
    assert newest.price.valid_from == Month(2026, 11).start


async def test_a_dry_run_says_the_same_and_does_nothing(database: Database) -> None:
    dry = await sync(database, MINI, is_dry=True)
    assert await rows(database) == 0

    done = await sync(database, MINI)

    assert [one.found for one in dry] == [one.found for one in done] == [Found.NEW]
    assert await rows(database) == 1


async def test_what_was_shipped_is_what_is_published(database: Database) -> None:
    async with database.system_uow() as tx:
        await load_shipped_prices(tx)
        pairs = await used_pairs(tx)

    found = await sync(database, *pairs)

    assert {one.found for one in found} == {Found.UNCHANGED, Found.SKIPPED}
    assert [one.provider for one in found if one.found is Found.SKIPPED] == ["builtin"]


async def test_a_changed_price_is_a_newer_row_and_the_old_one_stays(database: Database, clock: FixedClock) -> None:
    await sync(database, MINI, offer=published("1"), source="genai-prices 1")
    clock.advance(timedelta(days=1))

    [changed] = await sync(database, MINI, offer=published("2"), source="genai-prices 2")
    [again] = await sync(database, MINI, offer=published("2"), source="genai-prices 3")

    assert (changed.found, again.found) == (Found.CHANGED, Found.UNCHANGED)
    assert changed.before is not None
    assert changed.before.price.input == 10**9
    async with database.system_uow() as tx:
        found = await tx.execute(text("SELECT source, input_nano_per_million, valid_from FROM model_prices ORDER BY 3"))
        assert [tuple(row) for row in found] == [
            ("genai-prices 1", 10**9, Month(2026, 11).start),
            ("genai-prices 2", 2 * 10**9, NOW + timedelta(days=1)),
        ]


async def test_an_operators_price_stays_and_is_reported_when_it_differs(database: Database, clock: FixedClock) -> None:
    async with database.system_uow() as tx:
        await set_price(tx, ACTOR, NewPrice(*MINI, "EUR", Decimal(1), Decimal(2)))
    clock.advance(timedelta(days=1))

    [other] = await sync(database, MINI, offer=published("1"))

    assert other.found is Found.DIFFERS
    assert await rows(database) == 1


async def test_an_operators_price_that_does_not_differ_is_unchanged(database: Database) -> None:
    async with database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal("0.9"), source="ECB")
        await set_price(tx, ACTOR, NewPrice(*MINI, "USD", Decimal(1), Decimal(2), cached=Decimal(1)))

    [same] = await sync(database, MINI, offer=published("1"))

    assert same.found is Found.UNCHANGED


@pytest.mark.parametrize("begins", [NOW, NOW - timedelta(days=1)])
async def test_no_row_begins_before_the_last_one(database: Database, begins: datetime) -> None:
    await sync(database, MINI, offer=published("1"), valid_from=NOW)

    [skipped] = await sync(database, MINI, offer=published("2"), valid_from=begins)
    [taken] = await sync(database, MINI, offer=published("2"), valid_from=NOW + timedelta(seconds=1))

    assert skipped.found is Found.SKIPPED
    assert "a price begins at 2026-11-23T09:00:00+00:00" in skipped.reason
    assert taken.found is Found.CHANGED


async def test_a_closed_month_gets_no_price(database: Database) -> None:
    with pytest.raises(PriceRefused, match=r"price\.closed"):
        await sync(database, MINI, valid_from=Month(2026, 10).start)

    assert [one.found for one in await sync(database, MINI, valid_from=Month(2026, 11).start)] == [Found.NEW]


async def test_an_amount_with_too_many_decimals_is_skipped_with_the_reason(database: Database) -> None:
    [skipped] = await sync(database, MINI, offer=published("0.1234567891"))

    assert skipped.found is Found.SKIPPED
    assert "9 decimals" in skipped.reason
    assert await rows(database) == 0


async def test_a_model_that_was_used_before_it_had_a_price_is_found_and_priced(metered: Metered) -> None:
    metered.call(NOW, Tokens(input=1_000_000))
    metered.call(NOW - timedelta(days=60), Tokens(input=1), model="gpt-5")
    await metered.record()
    async with metered.database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal("0.5"), source="ECB")
        pairs = await used_pairs(tx)
    assert pairs == {MINI}

    await sync(metered.database, *pairs)
    await rerate(metered.database, ACTOR)

    assert await metered.costs() == [None, 200_000_000]


async def test_new_prices_are_audited(database: Database) -> None:
    await sync(database, MINI, offer=published("1"), source="genai-prices 1")

    async with database.system_uow() as tx:
        row = (await tx.execute(text("SELECT action, target, data->>'source' FROM audit_entries"))).one()
        assert tuple(row) == ("price.synced", "openai/gpt-4.1-mini", "genai-prices 1")
