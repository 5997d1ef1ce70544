"""From the journal into Postgres: each call becomes one usage event, and part of its hour's sums, exactly once.

One statement a batch inserts what is new, sums what it inserted and locks the keys concerned, so that a batch that is
replayed changes nothing and usage of a tenant that was erased is dropped. While Postgres is away the journal grows;
nothing is lost and nothing is counted twice. Source: gateway page, "Postgres".
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from kontor.billing.metering.budgets.draw import BEGINS, release
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.billing.metering.live_prices import LivePrices
from kontor.billing.metering.prices import PriceBook
from kontor.billing.metering.record import Call

log = structlog.get_logger(__name__)

BATCH: Final = 1000
PAUSE_S: Final = 0.1
_ADOPT_EVERY_S: Final = 3.0
_LONGEST_PAUSE_S: Final = 5.0

RECORDED = Counter("kontor_gateway_usage_recorded_total", "Usage events written to Postgres")
DROPPED = Counter("kontor_gateway_usage_dropped_total", "Usage events of keys that were erased")
BEHIND = Gauge(
    "kontor_gateway_recorder_behind",
    "1 while Postgres does not take usage events: alarm when it lasts",
    multiprocess_mode="livemax",
)

_STORE: Final = f"""
WITH incoming AS (
  SELECT * FROM unnest(
    $1::date[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[],
    $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[], $16::uuid[], $17::uuid[],
    $18::bigint[], $19::text[], $20::text[], $21::bigint[], $22::bigint[], $23::timestamptz[]
  ) AS t (day, tenant_id, id, instance_id, key_id, model_asked, model, provider, input_tokens, cached_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, currency, amount_nano, price_id, rate_id, cost_nano, source,
    outcome, latency_ms, first_token_ms, at)
), known AS (
  SELECT id FROM gateway_keys WHERE id IN (SELECT key_id FROM incoming) ORDER BY id FOR KEY SHARE
), inserted AS (
  INSERT INTO usage_events (day, tenant_id, id, instance_id, key_id, model_asked, model, provider, input_tokens,
    cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, currency, amount_nano, price_id, rate_id,
    cost_nano, source, outcome, latency_ms, first_token_ms, at)
  SELECT incoming.* FROM incoming JOIN known ON known.id = incoming.key_id
  ORDER BY incoming.day, incoming.tenant_id, incoming.id
  ON CONFLICT DO NOTHING
  RETURNING *
), summed AS (
  INSERT INTO usage_hourly AS h (tenant_id, hour, model, events, unpriced_events, estimated_events, input_tokens,
    cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano)
  SELECT tenant_id, date_trunc('hour', at, 'UTC'), model, count(*), count(*) FILTER (WHERE cost_nano IS NULL),
    count(*) FILTER (WHERE source = 'estimated'), sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens),
    sum(output_tokens), sum(reasoning_tokens), coalesce(sum(cost_nano), 0)
  FROM inserted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (tenant_id, hour, model) DO UPDATE SET
    events = h.events + excluded.events,
    unpriced_events = h.unpriced_events + excluded.unpriced_events,
    estimated_events = h.estimated_events + excluded.estimated_events,
    input_tokens = h.input_tokens + excluded.input_tokens,
    cached_tokens = h.cached_tokens + excluded.cached_tokens,
    cache_write_tokens = h.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = h.output_tokens + excluded.output_tokens,
    reasoning_tokens = h.reasoning_tokens + excluded.reasoning_tokens,
    cost_nano = h.cost_nano + excluded.cost_nano
  RETURNING 1
), spending AS (
  SELECT b.tenant_id, b.id, {BEGINS} AS begins, sum(e.cost_nano) AS nano
  FROM inserted e JOIN budgets b ON b.tenant_id = e.tenant_id AND (b.key_id IS NULL OR b.key_id = e.key_id)
  WHERE e.cost_nano > 0 GROUP BY 1, 2, 3
), spent AS (
  INSERT INTO budget_periods AS p (tenant_id, budget_id, begins, spent_nano)
  SELECT * FROM spending ORDER BY 1, 2, 3
  ON CONFLICT (tenant_id, budget_id, begins) DO UPDATE SET spent_nano = p.spent_nano + excluded.spent_nano
  RETURNING tenant_id, budget_id, begins
), used AS (
  UPDATE gateway_keys k SET last_used_at = u.at FROM (
    SELECT id, (SELECT max(e.at) FROM inserted e WHERE e.key_id = g.id) AS at FROM gateway_keys g
    WHERE kind = 'direct' AND id IN (SELECT key_id FROM inserted)
      AND (last_used_at IS NULL OR last_used_at < (SELECT max(e.at) FROM inserted e) - interval '1 minute')
    FOR NO KEY UPDATE SKIP LOCKED
  ) u WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)
  RETURNING 1
), settled AS (
  UPDATE budget_leases l SET amount_nano = greatest(0, l.amount_nano - s.nano)
  FROM spending s JOIN spent ON spent.tenant_id = s.tenant_id AND spent.budget_id = s.id AND spent.begins = s.begins
  WHERE l.tenant_id = s.tenant_id AND l.budget_id = s.id AND l.begins = s.begins AND l.gateway = $24
  RETURNING 1
)
SELECT (SELECT count(*) FROM inserted),
  (SELECT count(*) FROM incoming WHERE key_id NOT IN (SELECT id FROM known)), (SELECT count(*) FROM summed),
  (SELECT count(*) FROM settled), (SELECT count(*) FROM used)
"""  # noqa: S608 - our own text


async def store(connection: asyncpg.Connection, calls: Sequence[Call], prices: PriceBook, writer: UUID) -> int:
    """The calls are events and in their hours' sums; how many were new. A second call with the same changes nothing.

    What they cost moves from the leases of `writer`, the gateway that made them, to what was spent of the budgets.
    Calls of keys that no longer exist (their tenant was erased) are dropped and counted.
    """
    rows = [_row(call, prices) for call in {call.id: call for call in calls}.values()]
    columns = (list(column) for column in zip(*rows, strict=True))
    new, dropped, *_ = await connection.fetchrow(_STORE, *columns, writer)
    RECORDED.inc(new)
    DROPPED.inc(dropped)
    if dropped:
        log.warning("usage.dropped", events=dropped)
    return int(new)


class Recorder:
    """Empties the journal into Postgres. Run it beside the server; `flush` once more when the server has ended."""

    def __init__(
        self, journal: Journal, link: Link, prices: LivePrices | None = None, *, pause_s: float = PAUSE_S
    ) -> None:
        self._journal = journal
        self._link = link
        self._prices = prices or LivePrices()
        self._pause_s = pause_s
        self._adopted_at = float("-inf")

    async def run(self) -> None:
        """Until cancelled. While Postgres is away it tries again, ever less often up to every 5 s."""
        pause_s = self._pause_s
        while True:
            try:
                await self.flush()
            except DatabaseAway as error:
                if pause_s == self._pause_s:
                    log.warning("recorder.database_away", error=str(error))
                BEHIND.set(1)
                pause_s = min(max(pause_s, 0.1) * 2, _LONGEST_PAUSE_S)
            except (asyncpg.PostgresError, OSError):
                # A bug, a missing right or a broken disk: nothing is lost, the journal keeps it; somebody must look.
                log.exception("recorder.failed")
                BEHIND.set(1)
                pause_s = _LONGEST_PAUSE_S
            else:
                BEHIND.set(0)
                pause_s = self._pause_s
            await asyncio.sleep(pause_s)

    async def flush(self) -> int:
        """Everything that is closed in the journal by now is in Postgres; how many new events. Raises DatabaseAway."""
        now = asyncio.get_running_loop().time()
        if now - self._adopted_at > _ADOPT_EVERY_S:
            self._adopted_at = now
            self._journal.adopt()
        new, gone = 0, set()
        for batch in self._journal.batches(BATCH):
            if batch.calls:
                async with self._link.connection() as connection:
                    new += await store(connection, batch.calls, await self._prices.read(connection), batch.writer)
            self._journal.committed(batch)
            if batch.writer != self._journal.writer:
                gone.add(batch.writer)
        for writer in gone:
            async with self._link.connection() as connection:
                await release(connection, writer)
        return new


def _row(call: Call, prices: PriceBook) -> tuple[object, ...]:
    tokens, at = call.tokens, call.at
    cost = prices.cost(call.provider, call.model, tokens, at)
    return (
        at.date(),  # the UTC day: the same at every replay
        call.tenant,
        call.id,
        call.instance,
        call.key,
        call.asked,
        call.model,
        call.provider,
        tokens.input,
        tokens.cached,
        tokens.cache_write,
        tokens.output,
        tokens.reasoning,
        cost.currency,
        cost.amount_nano,
        cost.price,
        cost.rate,
        cost.cost_nano,
        tokens.source,
        call.outcome,
        call.latency_ms,
        call.first_token_ms,
        at,
    )
