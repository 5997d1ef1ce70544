"""Usage without a cost is named with what it lacks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text

from kontor.billing.metering.rerate import rerate
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.set_rate import set_rate
from kontor.billing.metering.unpriced import unpriced
from kontor.billing.metering.usage import Tokens
from kontor.core import audit
from kontor.core.clock import Month
from support.metered import Metered

ACTOR = audit.Actor("operator", "prs_operator")
NOVEMBER = datetime(2026, 10, 31, 23, tzinfo=UTC)  # 00:00 in Berlin
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOME = Tokens(input=10, cached=4, output=5)


async def found(metered: Metered) -> list[tuple[object, ...]]:
    async with metered.database.system_uow() as tx:
        return [
            (
                one.model,
                str(one.month),
                one.currency,
                one.events,
                one.input_tokens,
                one.output_tokens,
                one.since,
                one.help,
            )
            for one in await unpriced(tx)
        ]


async def test_a_model_without_a_price_is_summed_up_by_month_and_only_the_open_one_can_be_helped(
    metered: Metered,
) -> None:
    for at in (NOVEMBER - timedelta(seconds=1), NOVEMBER, NOON):
        metered.call(at, SOME)
    await metered.record()

    [closed, still_open] = await found(metered)

    mini = "gpt-4.1-mini"
    with_price = f"kontor prices set openai {mini} --input … --output … --currency … --from 2026-11-01"
    assert closed == (mini, "2026-10", None, 1, 10, 5, NOVEMBER - timedelta(seconds=1), "none: the month is closed")
    assert still_open == (
        mini,
        "2026-11",
        None,
        2,
        20,
        10,
        NOVEMBER,
        f"kontor prices sync, or {with_price}",
    )


async def test_a_currency_without_a_rate_and_usage_that_only_waits_for_a_run_name_other_commands(
    metered: Metered,
) -> None:
    metered.call(NOON, SOME)
    await metered.record()
    async with metered.database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal(1), source="ECB")
        await set_price(tx, ACTOR, NewPrice("openai", "gpt-4.1-mini", "EUR", Decimal(1), Decimal(1)), NOVEMBER)
        later = NOVEMBER + timedelta(days=1)
        await set_price(tx, ACTOR, NewPrice("openai", "gpt-4.1-mini", "USD", Decimal(1), Decimal(1)), later)
        await tx.execute(text("DELETE FROM exchange_rates"))
    [without_rate] = await found(metered)

    async with metered.database.system_uow() as tx:
        await set_rate(tx, ACTOR, "USD", Month(2026, 11), eur=Decimal(1), source="ECB")
    [waiting] = await found(metered)
    await rerate(metered.database, ACTOR)

    assert without_rate[2:] == ("USD", 1, 10, 5, NOON, "kontor prices rate set USD 2026-11 …")
    assert waiting[2:] == ("USD", 1, 10, 5, NOON, "kontor prices rerate")
    assert await found(metered) == []
