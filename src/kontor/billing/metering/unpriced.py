"""Usage without a cost: which model lacks a price or a rate, since when, and which command helps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from kontor.core.clock import Month, month_of
from kontor.core.db import Tx

_UNPRICED: Final = """
SELECT e.provider, e.model, to_char(e.at AT TIME ZONE 'Europe/Berlin', 'YYYY-MM') AS month, p.currency,
  p.currency IS NULL AS no_price, p.currency <> 'EUR' AND r.id IS NULL AS no_rate,
  count(*), sum(e.input_tokens)::bigint, sum(e.output_tokens)::bigint, min(e.at)
FROM usage_events e
LEFT JOIN LATERAL (
  SELECT currency FROM model_prices p
  WHERE p.provider = e.provider AND p.model = e.model AND p.valid_from <= e.at ORDER BY p.valid_from DESC LIMIT 1
) p ON true
LEFT JOIN exchange_rates r ON r.currency = p.currency AND r.valid_from <= e.at AND e.at < r.valid_to
WHERE e.cost_nano IS NULL
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls of a model in a Berlin month that have no cost. `currency` is that of their price, empty without one."""

    provider: str
    model: str
    month: Month
    currency: str | None
    events: int
    input_tokens: int
    output_tokens: int
    since: datetime
    help: str


async def unpriced(tx: Tx) -> list[Unpriced]:
    """By provider, model and month; none: every call has a cost. For a system unit of work."""
    found = []
    for row in await tx.execute(text(_UNPRICED)):
        provider, model, typed, currency, no_price, no_rate, events, input_tokens, output_tokens, since = row
        month, lacks = Month.parse(typed), "price" if no_price else currency if no_rate else None
        helps = _help(tx.now, provider, model, month, lacks)
        found.append(Unpriced(provider, model, month, currency, events, input_tokens, output_tokens, since, helps))
    return found


def _help(now: datetime, provider: str, model: str, month: Month, lacks: str | None) -> str:
    """What to type. `lacks` is "price", the currency without a rate, or nothing any more."""
    if month < month_of(now):
        return "none: the month is closed"
    if lacks is None:
        return "kontor prices rerate"
    if lacks == "price":
        return (
            f"kontor prices sync, or kontor prices set {provider} {model} --input … --output … --currency … "
            f"--from {month}-01"
        )
    return f"kontor prices rate set {lacks} {month} …"
