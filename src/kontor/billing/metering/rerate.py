"""Usage of the open month costs what today's prices and rates say: unpriced calls, and those a correction reaches.

Who adds a price or a rate calls it, and the worker every hour: a recorder hears of new prices half a minute late. It
goes through the month in batches of one transaction each, so it may be killed, repeated, and run beside recorders and
another run of itself. Each batch locks in the recorder's order: keys, events, hours, budgets. The keys keep a tenant's
erasure out, and what was erased before is gone when the events are read. Prices are read under these locks, so that
neither an older price nor a second run counts anything twice. Closed months are left alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import asyncpg

from kontor.billing.metering.budgets.draw import BEGINS
from kontor.billing.metering.prices import Cost, PriceBook
from kontor.billing.metering.stored_prices import read_price_book
from kontor.billing.metering.usage import Tokens
from kontor.core.audit import Actor, record
from kontor.core.clock import month_of
from kontor.core.db import Database

SCHEDULE: Final = "usage.rerate"
EVERY_HOUR: Final = "43 * * * *"
BATCH: Final = 2_000

Place = tuple[date, UUID, UUID]
# Tenant and id, the new cost, and what it was in nano-EUR.
Change = tuple[tuple[UUID, UUID], Cost, int | None]
_FIRST: Final = UUID(int=0)

# What each event should name: the newest price of its model before it, and its month's rate unless that is in EUR.
_SHOULD_BE: Final = """
WITH price AS (
  SELECT id, provider, model, currency, valid_from,
    coalesce(lead(valid_from) OVER (PARTITION BY provider, model ORDER BY valid_from), 'infinity') AS until
  FROM model_prices
), valid AS (
  SELECT p.provider, p.model, p.id AS price_id, r.id AS rate_id,
    greatest(p.valid_from, coalesce(r.valid_from, p.valid_from)) AS begins,
    least(p.until, coalesce(r.valid_to, p.until)) AS ends
  FROM price p LEFT JOIN exchange_rates r ON r.currency = p.currency AND p.currency <> 'EUR'
  WHERE p.currency = 'EUR' OR r.id IS NOT NULL
)
"""
_IS_DUE: Final = """
FROM usage_events e
LEFT JOIN valid v ON v.provider = e.provider AND v.model = e.model AND e.at >= v.begins AND e.at < v.ends
WHERE e.at >= $2 AND (e.price_id IS DISTINCT FROM v.price_id OR e.rate_id IS DISTINCT FROM v.rate_id)
"""
_COUNT: Final = f"{_SHOULD_BE} SELECT e.day, count(*) {_IS_DUE} AND e.day >= $1 GROUP BY e.day ORDER BY e.day"
_DUE: Final = f"""
{_SHOULD_BE} SELECT e.tenant_id, e.id, e.key_id {_IS_DUE} AND e.day = $1 AND (e.tenant_id, e.id) > ($3, $4)
ORDER BY e.tenant_id, e.id LIMIT $5
"""
_KEYS: Final = "SELECT id FROM gateway_keys WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE"
_EVENTS: Final = """
SELECT e.tenant_id, e.id, e.provider, e.model, e.at, e.input_tokens, e.cached_tokens, e.cache_write_tokens,
  e.output_tokens, e.currency, e.amount_nano, e.price_id, e.rate_id, e.cost_nano
FROM usage_events e
JOIN unnest($2::uuid[], $3::uuid[]) AS d (tenant_id, id) USING (tenant_id, id)
WHERE e.day = $1
ORDER BY e.tenant_id, e.id FOR UPDATE OF e
"""
_STORE: Final = f"""
WITH new AS (
  SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::uuid[], $7::uuid[], $8::bigint[],
    $9::bigint[]) AS t (tenant_id, id, currency, amount_nano, price_id, rate_id, cost_nano, was_nano)
), stored AS (
  UPDATE usage_events e SET currency = n.currency, amount_nano = n.amount_nano, price_id = n.price_id,
    rate_id = n.rate_id, cost_nano = n.cost_nano
  FROM new n WHERE e.day = $1 AND (e.tenant_id, e.id) = (n.tenant_id, n.id)
  RETURNING e.tenant_id, e.key_id, e.at, date_trunc('hour', e.at, 'UTC') AS hour, e.model, n.was_nano, n.cost_nano
), sums AS (
  SELECT tenant_id, hour, model, sum(coalesce(cost_nano, 0) - coalesce(was_nano, 0))::bigint AS cost_nano,
    sum((cost_nano IS NULL)::int - (was_nano IS NULL)::int) AS unpriced_events
  FROM stored GROUP BY 1, 2, 3
), locked AS (
  SELECT h.tenant_id, h.hour, h.model, s.cost_nano, s.unpriced_events
  FROM usage_hourly h JOIN sums s USING (tenant_id, hour, model) ORDER BY 1, 2, 3 FOR UPDATE OF h
), summed AS (
  UPDATE usage_hourly h SET cost_nano = h.cost_nano + l.cost_nano,
    unpriced_events = h.unpriced_events + l.unpriced_events
  FROM locked l WHERE (h.tenant_id, h.hour, h.model) = (l.tenant_id, l.hour, l.model)
  RETURNING 1
), spent AS (
  INSERT INTO budget_periods AS p (tenant_id, budget_id, begins, spent_nano)
  SELECT b.tenant_id, b.id, {BEGINS}, sum(coalesce(e.cost_nano, 0) - coalesce(e.was_nano, 0))
  FROM stored e JOIN budgets b ON b.tenant_id = e.tenant_id AND (b.key_id IS NULL OR b.key_id = e.key_id)
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (tenant_id, budget_id, begins) DO UPDATE SET spent_nano = p.spent_nano + excluded.spent_nano
  RETURNING 1
)
SELECT (SELECT count(*) FROM summed), (SELECT count(*) FROM spent)
"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class Rerated:
    """What a run changed. `cost_nano` is by how much the month costs more (or less) now, in nano-EUR."""

    events: int = 0
    newly_priced: int = 0
    cost_nano: int = 0

    def __add__(self, other: "Rerated") -> "Rerated":
        return Rerated(
            self.events + other.events,
            self.newly_priced + other.newly_priced,
            self.cost_nano + other.cost_nano,
        )


async def rerate(
    database: Database,
    actor: Actor,
    *,
    on_progress: Callable[[Rerated, int], None] | None = None,
    batch: int = BATCH,
) -> Rerated:
    """Every event of the current Berlin month has the cost that `PriceBook` gives it. A second run changes nothing.

    `on_progress` hears after each batch what was done, and of how many. What changed anything is audited.
    """
    start, done = month_of(database.clock.now()).start, Rerated()
    async with database.system_uow() as tx:
        due = dict(await (await tx.driver()).fetch(_COUNT, start.astimezone(UTC).date(), start))
    for day in due:
        place: Place | None = (day, _FIRST, _FIRST)
        while place is not None:
            async with database.system_uow() as tx:
                found, place = await _rerate_batch(await tx.driver(), start, place, batch)
            done += found
            if on_progress is not None and found.events:
                on_progress(done, max(sum(due.values()), done.events))
    if done.events:
        async with database.system_uow() as tx:
            await record(
                tx,
                actor,
                "usage.rerated",
                target=str(month_of(start)),
                data={"events": done.events, "newly_priced": done.newly_priced, "cost_nano": done.cost_nano},
            )
    return done


async def _rerate_batch(
    connection: asyncpg.Connection, start: datetime, after: Place, limit: int
) -> tuple[Rerated, Place | None]:
    """The day's next events that are due have their cost; the last one's place, None when it was the day's last."""
    day, *others = after
    due = await connection.fetch(_DUE, day, start, *others, limit)
    if not due:
        return Rerated(), None
    await connection.execute(_KEYS, sorted({row["key_id"] for row in due}))
    places = [(row["tenant_id"], row["id"]) for row in due]
    events = await connection.fetch(_EVENTS, day, *_columns(places))
    changes = _changes(events, await read_price_book(connection))
    if changes:
        await connection.fetchval(_STORE, day, *_columns([(*place, *_of(cost), was) for place, cost, was in changes]))
    return _summary(changes), (day, *places[-1]) if len(due) == limit else None


def _changes(events: Sequence[asyncpg.Record], prices: PriceBook) -> list[Change]:
    """The events whose cost is another one."""
    found = []
    for tenant, event, provider, model, at, input_, cached, written, output, *was in events:
        cost = prices.cost(provider, model, Tokens(input_, cached, written, output), at)
        if cost != Cost(*was):
            found.append(((tenant, event), cost, was[-1]))
    return found


def _summary(changes: Sequence[Change]) -> Rerated:
    return Rerated(
        events=len(changes),
        newly_priced=sum(was is None and cost.cost_nano is not None for _, cost, was in changes),
        cost_nano=sum((cost.cost_nano or 0) - (was or 0) for _, cost, was in changes),
    )


def _of(cost: Cost) -> tuple[object, ...]:
    return cost.currency, cost.amount_nano, cost.price, cost.rate, cost.cost_nano


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
