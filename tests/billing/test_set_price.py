"""The operator's prices and exchange rates: what may be set when, and where it is written down."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from kontor.billing.errors import PriceRefused
from kontor.billing.metering.price_book import last_price, list_prices, list_rates, load_shipped_prices
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.set_rate import set_rate
from kontor.core import audit
from kontor.core.clock import FixedClock, Month
from kontor.core.db import Database

ACTOR = audit.Actor("operator", "prs_operator")
MINI = NewPrice("openai", "gpt-4.1-mini", "USD", Decimal("0.5"), Decimal("1.7"), cached=Decimal("0.125"))
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NOVEMBER = datetime(2026, 10, 31, 23, tzinfo=UTC)  # 00:00 in Berlin


@pytest.fixture
async def shipped(database: Database) -> Database:
    async with database.system_uow() as tx:
        assert await load_shipped_prices(tx) == 8
    return database


async def test_a_correction_is_the_price_from_its_instant_on_and_the_old_one_before(shipped: Database) -> None:
    begins = datetime(2026, 11, 5, tzinfo=UTC)

    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI, begins)

    async with shipped.system_uow() as tx:
        [before] = [
            one for one in await list_prices(tx, begins - timedelta(seconds=1), "openai") if "4.1" in one.price.model
        ]
        [after] = [one for one in await list_prices(tx, begins, "openai") if "4.1" in one.price.model]
    assert (before.source, before.price.input, before.until) == ("shipped", 400_000_000, begins)
    assert (after.source, after.until) == ("operator", None)
    assert (after.price.input, after.price.cached, after.price.cache_write, after.price.output) == (
        500_000_000,
        125_000_000,
        None,
        1_700_000_000,
    )


async def test_shipped_prices_leave_corrections_alone_and_are_new_only_once(shipped: Database) -> None:
    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI)

    async with shipped.system_uow() as tx:
        assert await load_shipped_prices(tx) == 0
        newest = await last_price(tx, "openai", "gpt-4.1-mini")
    assert newest is not None
    assert (newest.source, newest.price.valid_from) == ("operator", NOW)


async def test_a_correction_stands_in_the_operators_audit_chain(shipped: Database) -> None:
    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI)
        await set_rate(tx, ACTOR, "usd", Month(2026, 12), eur=Decimal("0.88"), source="ECB")

    async with shipped.system_uow() as tx:
        entries = (await tx.scalars(select(audit.AuditEntry).order_by(audit.AuditEntry.seq))).all()
        verdict = await audit.verify(tx, audit.OPERATOR_CHAIN)
    assert [(one.action, one.target, one.tenant_id) for one in entries] == [
        ("price.set", "openai/gpt-4.1-mini", audit.OPERATOR_CHAIN),
        ("exchange_rate.set", "USD/2026-12", audit.OPERATOR_CHAIN),
    ]
    assert entries[0].data["input_nano_per_million"] == 500_000_000
    assert entries[1].data == {"nano_eur": 880_000_000, "before_nano_eur": 870_000_000, "source": "ECB"}
    assert verdict.is_intact


async def test_the_first_instant_of_the_month_is_open_and_the_one_before_is_closed(shipped: Database) -> None:
    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI, NOVEMBER)

    with pytest.raises(PriceRefused) as refused:
        async with shipped.system_uow() as tx:
            await set_price(tx, ACTOR, MINI, NOVEMBER - timedelta(microseconds=1))

    assert refused.value.code == "price.closed"
    assert "--from 2026-11-01" in refused.value.sentence("en")


async def test_a_second_price_from_the_same_instant_is_refused_and_a_second_later_it_is_not(shipped: Database) -> None:
    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI)

    with pytest.raises(PriceRefused, match=r"price\.taken"):
        async with shipped.system_uow() as tx:
            await set_price(tx, ACTOR, MINI)

    async with shipped.system_uow() as tx:
        await set_price(tx, ACTOR, MINI, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("amount", ["-0.000000001", "0.0000000001", "100000.000000001", "NaN", "Infinity"])
async def test_what_is_no_price_of_a_million_tokens_is_refused(shipped: Database, amount: str) -> None:
    with pytest.raises(PriceRefused, match=r"price\.amount"):
        async with shipped.system_uow() as tx:
            await set_price(tx, ACTOR, NewPrice("openai", "m", "EUR", Decimal(amount), Decimal(1)))


@pytest.mark.parametrize("amount", ["0", "0.000000001", "100000", "1E+1"])
async def test_an_amount_at_the_edge_is_taken(shipped: Database, amount: str) -> None:
    async with shipped.system_uow() as tx:
        price = await set_price(tx, ACTOR, NewPrice("openai", "m", "EUR", Decimal(amount), Decimal(1)))

    assert price.input == Decimal(amount) * 10**9


async def test_a_price_in_a_currency_without_a_rate_would_leave_usage_without_a_cost(shipped: Database) -> None:
    francs = NewPrice("openai", "m", "chf", Decimal(1), Decimal(2))
    with pytest.raises(PriceRefused) as refused:
        async with shipped.system_uow() as tx:
            await set_price(tx, ACTOR, francs)
    assert "kontor prices rate set CHF 2026-11" in refused.value.sentence("en")

    async with shipped.system_uow() as tx:
        await set_rate(tx, ACTOR, "CHF", Month(2026, 11), eur=Decimal("1.05"), source="ECB")
        assert (await set_price(tx, ACTOR, francs)).currency == "CHF"


@pytest.mark.parametrize("code", ["", "US", "DOLLAR", "U$D", "ÄÖÜ"])
async def test_what_is_no_currency_is_refused(shipped: Database, code: str) -> None:
    with pytest.raises(PriceRefused, match=r"price\.currency"):
        async with shipped.system_uow() as tx:
            await set_price(tx, ACTOR, NewPrice("openai", "m", code, Decimal(1), Decimal(2)))


async def test_a_rate_changes_until_its_month_begins_and_is_fixed_from_then_on(
    shipped: Database, clock: FixedClock
) -> None:
    december = Month(2026, 12)
    async with shipped.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", december, eur=Decimal("0.86"), source="ECB")
        await set_rate(tx, ACTOR, "USD", december, eur=Decimal("0.85"), source="ECB")

    clock.advance(december.start - clock.now())
    with pytest.raises(PriceRefused) as refused:
        async with shipped.system_uow() as tx:
            await set_rate(tx, ACTOR, "USD", december, eur=Decimal("0.84"), source="ECB")

    assert refused.value.code == "price.rate_frozen"
    async with shipped.system_uow() as tx:
        rates = {(rate.currency, rate.valid_from): (rate.nano_eur, source) for rate, source in await list_rates(tx)}
    assert rates["USD", december.start] == (850_000_000, "ECB")


async def test_a_month_that_has_begun_without_a_rate_gets_it_once_and_one_that_has_ended_never(
    shipped: Database,
) -> None:
    async with shipped.system_uow() as tx:
        await set_rate(tx, ACTOR, "CHF", Month(2026, 11), eur=Decimal("1.05"), source="ECB")

    for month, code in ((Month(2026, 11), "price.rate_frozen"), (Month(2026, 10), "price.rate_month_closed")):
        with pytest.raises(PriceRefused) as refused:
            async with shipped.system_uow() as tx:
                await set_rate(tx, ACTOR, "CHF", month, eur=Decimal("1.06"), source="ECB")
        assert refused.value.code == code


@pytest.mark.parametrize(("currency", "eur"), [("EUR", "1"), ("USD", "0"), ("USD", "-1"), ("USD", "10.000000001")])
async def test_what_is_no_rate_is_refused(shipped: Database, currency: str, eur: str) -> None:
    with pytest.raises(PriceRefused):
        async with shipped.system_uow() as tx:
            await set_rate(tx, ACTOR, currency, Month(2026, 12), eur=Decimal(eur), source="ECB")
