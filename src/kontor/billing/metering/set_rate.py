"""The exchange rate of a Berlin month: set before the month begins, then fixed.

A month that has begun without a rate gets it once, so that its usage can be priced; a month that has ended gets none.
Source: product page, "Plans" (the rate of a month is set before it begins and then fixed).
"""

from decimal import Decimal
from typing import Final

from sqlalchemy import delete, select

from kontor.billing.errors import PriceRefused
from kontor.billing.metering.model import ExchangeRate
from kontor.billing.metering.price_book import lock_prices
from kontor.billing.metering.prices import Rate
from kontor.billing.metering.set_price import EURO, checked_currency, checked_nano
from kontor.core.audit import Actor, record
from kontor.core.clock import Month
from kontor.core.db import Tx
from kontor.core.i18n import Text
from kontor.core.ids import new_id

# No currency is worth more, and a cost in nano-EUR always fits its column.
HIGHEST_RATE: Final = Decimal(10)


async def set_rate(tx: Tx, actor: Actor, currency: str, month: Month, *, eur: Decimal, source: str) -> Rate:
    """One unit of the currency is worth `eur` in the month. Audited. Before the month begins it may be set anew.

    Raises PriceRefused: `currency`, `amount`, `rate_month_closed`, `rate_frozen`.
    """
    code = _foreign(currency)
    nano_eur = checked_nano(eur, HIGHEST_RATE)
    if nano_eur == 0:
        raise PriceRefused(
            "rate_zero",
            Text(
                de="Ein Kurs ist größer als 0: was eine Einheit der Währung in EUR wert ist.",
                en="A rate is above 0: what one unit of the currency is worth in EUR.",
            ),
        )
    if month.end <= tx.now:
        raise PriceRefused(
            "rate_month_closed",
            Text(
                de=f"Der Monat {month} ist abgeschlossen; was ohne Kurs blieb, bleibt ohne Kosten.",
                en=f"The month {month} is closed; what had no rate stays without a cost.",
            ),
        )
    await lock_prices(tx)
    known = await tx.scalar(
        select(ExchangeRate).where(ExchangeRate.currency == code, ExchangeRate.valid_from == month.start)
    )
    if known is not None and month.start <= tx.now:
        raise PriceRefused(
            "rate_frozen",
            Text(
                de=f"Der Kurs von {code} steht für {month} fest, denn der Monat hat begonnen. Ändern lässt sich der "
                f"von {month.next()}.",
                en=f"The rate of {code} is fixed for {month}, because the month has begun. The one of {month.next()} "
                "can be changed.",
            ),
        )
    if known is not None:
        await tx.execute(delete(ExchangeRate).where(ExchangeRate.id == known.id))
    rate = Rate(new_id(), code, month.start, month.end, nano_eur)
    tx.add(
        ExchangeRate(
            id=rate.id,
            currency=code,
            valid_from=rate.valid_from,
            valid_to=rate.valid_to,
            nano_eur=nano_eur,
            source=source,
        )
    )
    await tx.flush()
    await record(
        tx,
        actor,
        "exchange_rate.set",
        target=f"{code}/{month}",
        data={"nano_eur": nano_eur, "source": source, "before_nano_eur": known.nano_eur if known else None},
    )
    return rate


def _foreign(currency: str) -> str:
    code = checked_currency(currency)
    if code == EURO:
        raise PriceRefused(
            "currency", Text(de="EUR braucht keinen Kurs.", en="EUR needs no rate; give the provider's currency.")
        )
    return code
