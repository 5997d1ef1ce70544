"""Published prices become rows: new ones, and newer ones beside those that changed. Never a guess, never a changed row.

What an operator has set stays and is reported when it differs. A model without any price gets it from the beginning of
the open month, so that its unpriced usage can be re-rated (`rerate`); a changed one from now on.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import select, union

from kontor.billing.errors import PriceRefused
from kontor.billing.metering.model import ModelPrice, UsageEvent
from kontor.billing.metering.price_book import FROM_OPERATOR, ListedPrice, add_price, last_price, lock_prices
from kontor.billing.metering.prices import Price
from kontor.billing.metering.published_prices import CURRENCY, SOURCE, Published, Unusable, published_price
from kontor.billing.metering.set_price import check_open, checked_nano
from kontor.core.audit import Actor, record
from kontor.core.clock import month_of
from kontor.core.db import Tx
from kontor.core.ids import new_id

Pair = tuple[str, str]
Catalogue = Callable[[str, str, date], Published | Unusable]


class Found(StrEnum):
    """What a sync found out about one model."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"  # an operator's own price, which stays
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Synced:
    """One model: the price that is published (empty when skipped), the row before it, and what was found."""

    provider: str
    model: str
    found: Found
    price: Price | None = None
    before: ListedPrice | None = None
    reason: str = ""


async def used_pairs(tx: Tx) -> set[Pair]:
    """Every provider and model that has a price, or usage in the open month. For a system unit of work."""
    priced = select(ModelPrice.provider, ModelPrice.model)
    first = month_of(tx.now).start.astimezone(UTC).date()
    metered = select(UsageEvent.provider, UsageEvent.model).where(UsageEvent.day >= first)
    return {(provider, model) for provider, model in await tx.execute(union(priced, metered))}


async def sync_prices(
    tx: Tx,
    actor: Actor,
    pairs: Iterable[Pair],
    *,
    valid_from: datetime | None = None,
    is_dry: bool = False,
    catalogue: Catalogue = published_price,
    source: str = SOURCE,
) -> list[Synced]:
    """The published prices of these models are in the table, by provider and model. A second call changes nothing.

    A dry run only says what would be done. New rows are audited. Raises PriceRefused `closed`.
    """
    if valid_from is not None:
        check_open(valid_from, tx.now)
    await lock_prices(tx)
    found = [await _find(tx, pair, valid_from, catalogue) for pair in sorted(set(pairs))]
    for one in found:
        if not is_dry and one.price is not None and one.found in {Found.NEW, Found.CHANGED}:
            await add_price(tx, one.price, source)
            await record(
                tx, actor, "price.synced", target=f"{one.provider}/{one.model}", data=_facts(one.price, source)
            )
    return found


async def _find(tx: Tx, pair: Pair, valid_from: datetime | None, catalogue: Catalogue) -> Synced:
    provider, model = pair
    before = await last_price(tx, provider, model)
    begins = valid_from or (tx.now if before else month_of(tx.now).start)
    published = catalogue(provider, model, begins.astimezone(UTC).date())
    if isinstance(published, Unusable):
        return Synced(provider, model, Found.SKIPPED, before=before, reason=published.reason)
    try:
        price = _price(pair, published, begins)
    except PriceRefused as refused:
        return Synced(provider, model, Found.SKIPPED, before=before, reason=refused.sentence("en"))
    if before is None:
        return Synced(provider, model, Found.NEW, price)
    found, reason = _compare(price, before)
    return Synced(provider, model, found, price, before, reason)


def _compare(price: Price, before: ListedPrice) -> tuple[Found, str]:
    last = before.price
    if _amounts(last) == _amounts(price):
        return Found.UNCHANGED, ""
    if before.source == FROM_OPERATOR:
        return Found.DIFFERS, "the operator's own price stays"
    if last.valid_from >= price.valid_from:
        return Found.SKIPPED, f"a price begins at {last.valid_from.isoformat()}: choose a later instant"
    return Found.CHANGED, ""


def _price(pair: Pair, published: Published, begins: datetime) -> Price:
    return Price(
        new_id(),
        *pair,
        CURRENCY,
        checked_nano(published.input),
        None if published.cached is None else checked_nano(published.cached),
        None if published.cache_write is None else checked_nano(published.cache_write),
        checked_nano(published.output),
        begins,
    )


def _amounts(price: Price) -> tuple[object, ...]:
    """What tells two prices apart: a missing cache price is the input price."""
    cached = price.input if price.cached is None else price.cached
    cache_write = price.input if price.cache_write is None else price.cache_write
    return price.currency, price.input, cached, cache_write, price.output


_AUDITED: Final = ("currency", "input", "cached", "cache_write", "output")


def _facts(price: Price, source: str) -> dict[str, object]:
    amounts = {name: getattr(price, name) for name in _AUDITED}
    return {**amounts, "valid_from": price.valid_from.isoformat(), "source": source}
