"""What a call cost: tokens times the price of its instant, and into EUR at the month's rate. Pure.

Amounts are nano-units, rounded once and half-even (architecture page, "Money"). Without a price, or without a rate
for its currency, a call is unpriced, never free.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from kontor.billing.metering.usage import Tokens
from kontor.core.money import NANO, half_even_div

_MILLION: Final = 1_000_000
_EUR: Final = "EUR"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


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


@dataclass(frozen=True, slots=True)
class _Valid:
    """The price and rate of a model in [since, until)."""

    since: datetime
    until: datetime
    price: Price | None = None
    rate: Rate | None = None


class PriceBook:
    """All prices and rates that are known, asked for an instant."""

    def __init__(self, prices: Iterable[Price] = (), rates: Iterable[Rate] = ()) -> None:
        self._prices: dict[tuple[str, str], list[Price]] = {}
        for price in sorted(prices, key=lambda p: p.valid_from, reverse=True):
            self._prices.setdefault((price.provider, price.model), []).append(price)
        self._rates: dict[str, list[Rate]] = {}
        for rate in rates:
            self._rates.setdefault(rate.currency, []).append(rate)
        self._latest: dict[tuple[str, str], _Valid] = {}

    def cost(self, provider: str, model: str, tokens: Tokens, at: datetime) -> Cost:
        """The cost of a call at an instant; UNPRICED when price or rate is missing."""
        valid = self._at(provider, model, at)
        if (price := valid.price) is None:
            return UNPRICED
        amount = amount_nano(tokens, price)
        if (rate := valid.rate) is None:
            return Cost(_EUR, amount, price.id, None, amount)
        return Cost(price.currency, amount, price.id, rate.id, half_even_div(amount * rate.nano_eur, NANO))

    def cost_nano(self, provider: str, model: str, tokens: Tokens, at: datetime) -> int | None:
        """The cost alone, in nano-EUR; None when price or rate is missing."""
        valid = self._at(provider, model, at)
        if valid.price is None:
            return None
        amount = amount_nano(tokens, valid.price)
        return amount if valid.rate is None else half_even_div(amount * valid.rate.nano_eur, NANO)

    def _at(self, provider: str, model: str, at: datetime) -> _Valid:
        """What was found last for a model holds for the instants near the last one, too."""
        valid = self._latest.get((provider, model))
        if valid is None or not valid.since <= at < valid.until:
            valid = self._latest[provider, model] = self._found(provider, model, at)
        return valid

    def _found(self, provider: str, model: str, at: datetime) -> _Valid:
        until = _NEVER
        for price in self._prices.get((provider, model), ()):
            if price.valid_from <= at:
                break
            until = price.valid_from
        else:
            return _Valid(at, at)
        if price.currency == _EUR:
            return _Valid(price.valid_from, until, price)
        for rate in self._rates.get(price.currency, ()):
            if rate.valid_from <= at < rate.valid_to:
                return _Valid(max(price.valid_from, rate.valid_from), min(until, rate.valid_to), price, rate)
        return _Valid(at, at)
