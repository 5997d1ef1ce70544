"""The operator's own price: a newer row beside the others, never a change of one.

The current Berlin month is open, the months before are closed: what was billed keeps its price. Usage of the open month
that the new row covers is re-rated afterwards (`rerate`).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from kontor.billing.errors import PriceRefused
from kontor.billing.metering.price_book import FROM_OPERATOR, add_price, list_rates, lock_prices, nano
from kontor.billing.metering.prices import Price
from kontor.core.audit import Actor, record
from kontor.core.clock import month_of
from kontor.core.db import Tx
from kontor.core.i18n import Text
from kontor.core.ids import new_id

EURO: Final = "EUR"
DECIMALS: Final = 9
# A million tokens for more than this is a typing error; below it every product of counts and prices fits its column.
HIGHEST: Final = Decimal(100_000)
_CODE_LENGTH: Final = 3


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a provider asks for a million tokens; without a cache price such tokens cost as much as other input."""

    provider: str
    model: str
    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None


async def set_price(tx: Tx, actor: Actor, new: NewPrice, valid_from: datetime | None = None) -> Price:
    """The price is valid from an instant on, now by default, until a later row of the model begins. Audited.

    Raises PriceRefused: `amount`, `currency`, `closed`, `taken`, `rate_missing`.
    """
    begins = valid_from or tx.now
    price = Price(
        new_id(),
        new.provider,
        new.model,
        checked_currency(new.currency),
        checked_nano(new.input),
        None if new.cached is None else checked_nano(new.cached),
        None if new.cache_write is None else checked_nano(new.cache_write),
        checked_nano(new.output),
        begins,
    )
    check_open(begins, tx.now)
    await lock_prices(tx)
    await _check_rate(tx, price.currency)
    if not await add_price(tx, price, FROM_OPERATOR):
        raise PriceRefused(
            "taken",
            Text(
                de=f"Ab {begins.isoformat()} gilt schon ein Preis für {new.provider}/{new.model}, und keiner wird je "
                "geändert. Setzen Sie den neuen eine Sekunde später (--from).",
                en=f"There is already a price of {new.provider}/{new.model} from {begins.isoformat()} on, and none is "
                "ever changed. Set the new one a second later (--from).",
            ),
        )
    await record(
        tx,
        actor,
        "price.set",
        target=f"{new.provider}/{new.model}",
        data={
            "currency": price.currency,
            "input_nano_per_million": price.input,
            "cached_nano_per_million": price.cached,
            "cache_write_nano_per_million": price.cache_write,
            "output_nano_per_million": price.output,
            "valid_from": begins.isoformat(),
        },
    )
    return price


def check_open(begins: datetime, now: datetime) -> None:
    """Raises PriceRefused `closed` for an instant before the current Berlin month."""
    month = month_of(now)
    if begins < month.start:
        raise PriceRefused(
            "closed",
            Text(
                de=f"Nur der laufende Monat {month} ist offen; was davor liegt, ist abgerechnet. Frühestens geht "
                f"{month.start.isoformat()} (--from {month}-01).",
                en=f"Only the current month {month} is open; what is before it was billed. The earliest is "
                f"{month.start.isoformat()} (--from {month}-01).",
            ),
        )


def checked_nano(amount: Decimal, highest: Decimal = HIGHEST) -> int:
    """Nano-units. Raises PriceRefused `amount` below 0, above the highest or with more than nine decimals."""
    if not (amount.is_finite() and 0 <= amount <= highest and amount == round(amount, DECIMALS)):
        raise PriceRefused(
            "amount",
            Text(
                de=f"{amount} geht nicht: zwischen 0 und {highest}, mit höchstens {DECIMALS} Nachkommastellen. Ein "
                "Preis gilt für eine Million Tokens.",
                en=f"{amount} is not possible: between 0 and {highest}, with at most {DECIMALS} decimals. A price "
                "is that of a million tokens.",
            ),
        )
    return nano(amount)


def checked_currency(code: str) -> str:
    """The code in capitals. Raises PriceRefused `currency` for what is no code of ISO 4217."""
    if len(code) != _CODE_LENGTH or not (code.isascii() and code.isalpha()):
        raise PriceRefused(
            "currency",
            Text(
                de=f"„{code}“ ist keine Währung. Gemeint sind drei Buchstaben wie USD oder EUR.",
                en=f"'{code}' is no currency. Three letters such as USD or EUR are meant.",
            ),
        )
    return code.upper()


async def _check_rate(tx: Tx, currency: str) -> None:
    if currency == EURO or any(
        rate.currency == currency and rate.valid_from <= tx.now < rate.valid_to for rate, _ in await list_rates(tx)
    ):
        return
    month = month_of(tx.now)
    raise PriceRefused(
        "rate_missing",
        Text(
            de=f"Für {currency} fehlt der Kurs von {month}; ohne ihn hätten Aufrufe keine Kosten. Zuerst: "
            f"kontor prices rate set {currency} {month} KURS",
            en=f"There is no rate of {currency} for {month}; without it calls would have no cost. First: "
            f"kontor prices rate set {currency} {month} RATE",
        ),
    )
