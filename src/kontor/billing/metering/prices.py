"""What a call cost: tokens times the price of its instant, and into EUR at the month's rate. Pure.

Amounts are nano-units, rounded once and half-even (architecture page, "Money"). Without a price, or without a rate
for its currency, a call is unpriced, never free.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kontor.billing.metering.usage import Tokens
from kontor.core.money import NANO, half_even_div

_MILLION: Final = 1_000_000
_EUR: Final = "EUR"


@dataclass(frozen=True, slots=True)
class Price:
    """A provider's price of a model from an instant on, nano-units of `currency` per million tokens."""

    id: UUID
    provider: str
    model: str
    currency: str
    input: int
    cached: int | None
    cache_write: int | None
    output: int
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """Nano-EUR for one unit of `currency` in [valid_from, valid_to)."""

    id: UUID
    currency: str
    valid_from: datetime
    valid_to: datetime
    nano_eur: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, and by which price and rate. All empty: unpriced."""

    currency: str | None = None
    amount_nano: int | None = None
    price: UUID | None = None
    rate: UUID | None = None
    cost_nano: int | None = None


UNPRICED: Final = Cost()


def amount_nano(tokens: Tokens, price: Price) -> int:
    """The provider's amount in nano-units of its currency. Cached tokens are part of the input tokens."""
    plain = tokens.input - tokens.cached - tokens.cache_write
    cached = price.input if price.cached is None else price.cached
    cache_write = price.input if price.cache_write is None else price.cache_write
    times_million = (
        plain * price.input + tokens.cached * cached + tokens.cache_write * cache_write + tokens.output * price.output
    )
    return half_even_div(times_million, _MILLION)


class PriceBook:
    """All prices and rates that are known, asked for an instant."""

    def __init__(self, prices: Iterable[Price] = (), rates: Iterable[Rate] = ()) -> None:
        self._prices: dict[tuple[str, str], list[Price]] = {}
        for price in sorted(prices, key=lambda p: p.valid_from, reverse=True):
            self._prices.setdefault((price.provider, price.model), []).append(price)
        self._rates: dict[str, list[Rate]] = {}
        for rate in rates:
            self._rates.setdefault(rate.currency, []).append(rate)

    def cost(self, provider: str, model: str, tokens: Tokens, at: datetime) -> Cost:
        """The cost of a call at an instant; UNPRICED when price or rate is missing."""
        price = next((p for p in self._prices.get((provider, model), ()) if p.valid_from <= at), None)
        if price is None:
            return UNPRICED
        amount = amount_nano(tokens, price)
        if price.currency == _EUR:
            return Cost(_EUR, amount, price.id, None, amount)
        rate = next((r for r in self._rates.get(price.currency, ()) if r.valid_from <= at < r.valid_to), None)
        if rate is None:
            return UNPRICED
        return Cost(price.currency, amount, price.id, rate.id, half_even_div(amount * rate.nano_eur, NANO))
