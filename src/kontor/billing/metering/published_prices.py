"""What the package genai-prices publishes, in our terms: the only place that knows it.

Three traps of its data. A model matches by prefix too, which would price tomorrow's model like yesterday's: here a name
counts only where it is listed in full. A price may depend on the length of the context or the time of day; we price by
tokens alone, so such a model has no price here. Amounts are USD, and its input price is that of tokens that no cache
gave; a cache price it does not list is the input price, as in our own table. Prices that begin on a date are not
conditional: the date decides. Its variants (batch, flex, priority) are service tiers that the gateway never asks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from genai_prices import __version__
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ClauseEquals, ClauseOr, ModelInfo, ModelPrice, StartDateConstraint

SOURCE: Final = f"genai-prices {__version__}"
CURRENCY: Final = "USD"
# What the gateway never asks for: searches, and caches that last an hour. Whatever else costs makes a model unusable.
_NEVER_ASKED: Final = frozenset({"web_searches_kcount", "storage_searches_kcount", "cache_write_1h_mtok"})
_METERED: Final = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"}


@dataclass(frozen=True, slots=True)
class Published:
    """USD per million tokens; an empty cache price is the input price."""

    input: Decimal
    output: Decimal
    cached: Decimal | None
    cache_write: Decimal | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is no price that we could use, and why."""

    reason: str


def published_price(provider: str, model: str, on: date) -> Published | Unusable:
    """The price of a model by its exact name on a day (UTC)."""
    known = [one for one in get_snapshot().providers if one.id == provider]
    if not known:
        return Unusable(f"genai-prices does not know the provider {provider}")
    listed = [one for one in known[0].models if model in _names(one)]
    if not listed:
        return Unusable("not listed under exactly this name")
    if len(listed) > 1:
        return Unusable("listed more than once")
    return _usable(_on(listed[0], on))


def published_models(provider: str) -> list[str]:
    """The ids of all models of a provider, sorted; empty for an unknown one."""
    return sorted(model.id for one in get_snapshot().providers if one.id == provider for model in one.models)


def _names(model: ModelInfo) -> Iterator[str]:
    yield model.id
    clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
    yield from (clause.equals for clause in clauses if isinstance(clause, ClauseEquals))


def _on(model: ModelInfo, on: date) -> ModelPrice | None:
    """The price that the date alone decides; None when it takes more than a date."""
    if isinstance(model.prices, ModelPrice):
        return model.prices
    found = None
    for conditional in model.prices:
        constraint = conditional.constraint
        if constraint is None or (isinstance(constraint, StartDateConstraint) and constraint.start_date <= on):
            found = conditional.prices
        elif not isinstance(constraint, StartDateConstraint):
            return None
    return found


def _usable(price: ModelPrice | None) -> Published | Unusable:
    if price is None:
        return Unusable("the price depends on the time of day, or has not begun")
    amounts = {name: amount for name, amount in vars(price).items() if amount is not None}
    if any(name in amounts and not isinstance(amounts[name], Decimal) for name in _METERED):
        return Unusable("the price depends on the length of the context")
    if "input_mtok" not in amounts or "output_mtok" not in amounts:
        return Unusable("no price of input and output tokens")
    if others := amounts.keys() - _METERED - _NEVER_ASKED:
        return Unusable(f"also costs {', '.join(sorted(others))}, which we do not meter")
    return Published(
        amounts["input_mtok"], amounts["output_mtok"], amounts.get("cache_read_mtok"), amounts.get("cache_write_mtok")
    )
