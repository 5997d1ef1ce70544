"""Our calls against what the provider says it counted, by UTC day and model.

Of the days that the export covers, and only what it counts: a provider that exports no number of requests is not asked
for one. A model that only one side knows is a difference in full. Which exports are read: `provider_exports`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from kontor.billing.metering.provider_exports.cells import Counted
from kontor.billing.metering.provider_exports.read import Export, canonical
from kontor.core.db import Tx
from kontor.core.money import NANO

TOLERANCE_PCT: Final = Decimal("0.5")
MEASURES: Final = ("requests", "input_tokens", "cached_tokens", "output_tokens", "cost")
_HUNDRED: Final = 100

# A call that the provider refused has no tokens; providers do not count it.
_OURS: Final = """
SELECT day, model, currency, count(*) FILTER (WHERE input_tokens + output_tokens > 0), sum(input_tokens)::bigint,
  sum(cached_tokens)::bigint, sum(output_tokens)::bigint, coalesce(sum(amount_nano), 0)::bigint,
  count(*) FILTER (WHERE source = 'estimated'), count(*) FILTER (WHERE cost_nano IS NULL)
FROM usage_events WHERE provider = :provider AND day BETWEEN :first AND :last
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

Key = tuple[date, str]


@dataclass(frozen=True, slots=True)
class Compared:
    """One sum of both sides. `pct` is of the provider's, empty where that is 0 and ours is not."""

    day: date
    model: str
    measure: str
    currency: str | None
    ours: Decimal
    theirs: Decimal
    difference: Decimal
    pct: Decimal | None
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """All sums that were compared. Of our calls in those days `estimated` were guessed, `unpriced` have no cost."""

    export: Export
    compared: tuple[Compared, ...]
    estimated: int
    unpriced: int

    @property
    def differing(self) -> list[Compared]:
        """Where the sides are not the same."""
        return [one for one in self.compared if one.difference]

    @property
    def beyond(self) -> list[Compared]:
        """Where they differ by more than the tolerance."""
        return [one for one in self.compared if one.is_beyond]


async def reconcile(tx: Tx, provider: str, export: Export, tolerance_pct: Decimal = TOLERANCE_PCT) -> Reconciled:
    """The provider's export beside our events, by day, model and measure. For a system unit of work."""
    ours: dict[Key, Counted] = {}
    estimated = unpriced = 0
    currencies = {one.currency for one in export.counted.values() if one.currency}
    period = {"provider": provider, "first": export.first, "last": export.last}
    for day, model, currency, requests, input_, cached, output, amount, guessed, open_ in await tx.execute(
        text(_OURS), period
    ):
        key = day, canonical(provider, model)
        is_same = currency in currencies
        cost = Decimal(amount) / NANO if is_same else Decimal(0)
        counted = Counted(requests, input_, cached, output, cost, currency if is_same else None)
        ours[key] = ours.get(key, Counted()) + counted
        estimated, unpriced = estimated + guessed, unpriced + open_
    return Reconciled(export, tuple(_compare(ours, export, tolerance_pct)), estimated, unpriced)


def _compare(ours: Mapping[Key, Counted], export: Export, tolerance_pct: Decimal) -> Iterator[Compared]:
    exported = [name for name in MEASURES if any(getattr(one, name) is not None for one in export.counted.values())]
    for day, model in sorted(ours.keys() | export.counted.keys()):
        mine, theirs = ours.get((day, model)), export.counted.get((day, model))
        for measure in exported or MEASURES[:-1]:
            they = Decimal(0) if theirs is None else getattr(theirs, measure)
            if they is None:
                continue
            we = Decimal(getattr(mine, measure) or 0) if mine else Decimal(0)
            difference = we - they
            allowed = max(abs(they) * tolerance_pct / _HUNDRED, theirs.rounding if theirs and measure == "cost" else 0)
            yield Compared(
                day,
                model,
                measure,
                (theirs or mine or Counted()).currency if measure == "cost" else None,
                we,
                Decimal(they),
                difference,
                difference * _HUNDRED / they if they else None if we else Decimal(0),
                abs(difference) > allowed,
            )
