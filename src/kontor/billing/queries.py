"""What a tenant used, by Berlin day and model; the same as CSV; and proof that it adds up.

Sums come from the hourly rows. Hours are UTC; every offset of Europe/Berlin is a whole number of hours, so a Berlin
day is a whole number of rows. Source: product page, "Metering".
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from kontor.billing.metering import gateway_keys, hits
from kontor.billing.metering.budgets.limits import forget_budgets
from kontor.billing.metering.model import GatewayRefusals, UsageEvent, UsageHour
from kontor.core.clock import Month
from kontor.core.db import Tx
from kontor.core.ids import TenantId
from kontor.core.money import decimal_of_nano

CSV_COLUMNS: Final = ("date", "model", "input tokens", "output tokens", "cost")


@dataclass(frozen=True, slots=True)
class Used:
    """Sums of calls. `cost_nano` is that of the priced ones, in nano-EUR; `unpriced` of `calls` have no price yet."""

    calls: int = 0
    unpriced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int = 0

    @property
    def cost(self) -> Decimal:
        """EUR with six decimals."""
        return decimal_of_nano(self.cost_nano)

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.calls + other.calls,
            self.unpriced + other.unpriced,
            self.estimated + other.estimated,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_nano + other.cost_nano,
        )


@dataclass(frozen=True, slots=True)
class DayOfModel:
    """What a tenant used of one model on one Berlin day."""

    day: date
    model: str
    used: Used


async def usage_by_day(tx: Tx, tenant: TenantId, start: datetime, end: datetime) -> list[DayOfModel]:
    """By day, then model, for the whole hours in [start, end). Days without calls have no row."""
    day = func.date(func.timezone("Europe/Berlin", UsageHour.hour))
    rows = await tx.execute(
        select(day, UsageHour.model, *map(func.sum, SUMS))
        .where(UsageHour.tenant_id == tenant, UsageHour.hour >= start, UsageHour.hour < end)
        .group_by(day, UsageHour.model)
        .order_by(day, UsageHour.model)
    )
    return [DayOfModel(row[0], row[1], Used(*map(int, row[2:]))) for row in rows]


async def usage_of_month(tx: Tx, tenant: TenantId, month: Month) -> list[DayOfModel]:
    """By day, then model, for a Berlin month."""
    return await usage_by_day(tx, tenant, month.start, month.end)


def total(days: Sequence[DayOfModel]) -> Used:
    """The sum over all rows."""
    return sum((row.used for row in days), Used())


def usage_csv(days: Sequence[DayOfModel]) -> str:
    """CSV (RFC 4180) with date, model, input tokens, output tokens, cost (EUR, six decimals; empty when unpriced)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for row in days:
        is_unpriced = row.used.unpriced == row.used.calls
        cost = "" if is_unpriced else f"{row.used.cost:f}"
        writer.writerow([row.day.isoformat(), row.model, row.used.input_tokens, row.used.output_tokens, cost])
    return out.getvalue()


async def erase_usage(tx: Tx, tenant: TenantId) -> int:
    """The tenant's keys, budgets, events and sums are gone, and what a journal still holds is dropped; how many events.

    Keys go first: the recorder locks them, so nothing can be written after the events have gone.
    """
    await gateway_keys.forget_keys(tx, tenant)
    await forget_budgets(tx, tenant)
    await hits.forget_hits(tx, tenant)
    await tx.execute(delete(GatewayRefusals).where(GatewayRefusals.tenant_id == tenant))
    await tx.execute(delete(UsageHour).where(UsageHour.tenant_id == tenant))
    gone = await tx.scalars(delete(UsageEvent).where(UsageEvent.tenant_id == tenant).returning(UsageEvent.id))
    return len(gone.all())


async def differences(tx: Tx) -> list[str]:
    """Every hour whose sums are not those of its events, as sentences; none is the proof. For a system unit of work."""
    rows = await tx.execute(text(_DIFFERENCES))
    return [
        f"tenant {tenant}, hour {hour:%Y-%m-%d %H:00}Z, model {model}: events {events}, sums {sums}"
        for tenant, hour, model, events, sums in rows
    ]


SUMS: Final[tuple[InstrumentedAttribute[int], ...]] = (
    UsageHour.events,
    UsageHour.unpriced_events,
    UsageHour.estimated_events,
    UsageHour.input_tokens,
    UsageHour.cached_tokens,
    UsageHour.output_tokens,
    UsageHour.cost_nano,
)
_DIFFERENCES: Final = """
WITH of_events AS (
  SELECT tenant_id, date_trunc('hour', at, 'UTC') AS hour, model, ARRAY[count(*),
    count(*) FILTER (WHERE cost_nano IS NULL), count(*) FILTER (WHERE source = 'estimated'), sum(input_tokens),
    sum(cached_tokens), sum(cache_write_tokens), sum(output_tokens), sum(reasoning_tokens),
    coalesce(sum(cost_nano), 0)]::numeric[] AS sums
  FROM usage_events GROUP BY 1, 2, 3
), of_hours AS (
  SELECT tenant_id, hour, model, ARRAY[events, unpriced_events, estimated_events, input_tokens, cached_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nano]::numeric[] AS sums
  FROM usage_hourly
)
SELECT tenant_id, hour, model, e.sums, h.sums
FROM of_events e FULL JOIN of_hours h USING (tenant_id, hour, model)
WHERE e.sums IS DISTINCT FROM h.sums
ORDER BY 1, 2, 3
"""
