"""Drawing leases and rates from Postgres, as the role `gateway`, each draw one transaction.

The lock of a budget's period row orders draws and records: both change spent and leased amounts only while they hold
it. Locks are taken in the order of the budgets' ids, as the recorder does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from kontor.billing.metering.budgets.periods import Period, Span, slice_of, span_of
from kontor.core.ids import TenantId

# The period of budget `b` in which an event at `e.at` lies; the same as span_of.
BEGINS: Final = """CASE b.period
      WHEN 'total' THEN b.since
      WHEN 'month' THEN date_trunc('month', e.at AT TIME ZONE 'Europe/Berlin')::date
      ELSE (e.at AT TIME ZONE 'Europe/Berlin')::date
    END"""
KEPT_S: Final = 900
MINUTE_S: Final = 60
_RATE_SHARE: Final = 16

_BUDGETS: Final = """
SELECT id, period, cap_nano, since FROM budgets
WHERE tenant_id = $1 AND (key_id IS NULL OR key_id = $2) AND cap_nano IS NOT NULL ORDER BY id
"""
_PERIOD: Final = """
INSERT INTO budget_periods (tenant_id, budget_id, begins) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
_LOCK: Final = """
SELECT spent_nano FROM budget_periods WHERE tenant_id = $1 AND budget_id = $2 AND begins = $3 FOR UPDATE
"""
_LEASED: Final = """
SELECT coalesce(sum(amount_nano), 0) FROM budget_leases
WHERE tenant_id = $1 AND budget_id = $2 AND begins = $3 AND (gateway = $4 OR expires_at > now())
"""
_GRANT: Final = """
INSERT INTO budget_leases AS l (tenant_id, budget_id, begins, gateway, amount_nano, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
ON CONFLICT (tenant_id, budget_id, begins, gateway)
DO UPDATE SET amount_nano = l.amount_nano + excluded.amount_nano, expires_at = excluded.expires_at
"""
_GIVE_BACK: Final = """
UPDATE budget_leases SET amount_nano = greatest(0, amount_nano - $5)
WHERE tenant_id = $1 AND budget_id = $2 AND begins = $3 AND gateway = $4
"""
_RELEASE: Final = "DELETE FROM budget_leases WHERE gateway = $1"
_SWEEP: Final = (
    "DELETE FROM rate_windows WHERE minute < now() - interval '10 minutes'",
    "DELETE FROM budget_leases WHERE expires_at < now() - interval '1 day'",
)
_RATE: Final = """
INSERT INTO rate_windows AS w (tenant_id, minute, requests, tokens) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, minute)
DO UPDATE SET requests = w.requests + excluded.requests, tokens = w.tokens + excluded.tokens
WHERE w.requests + excluded.requests <= $5 AND w.tokens + excluded.tokens <= $6
RETURNING 1
"""
_LIMITS: Final = "SELECT requests, tokens FROM rate_limits WHERE tenant_id = $1"


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests and tokens: what may be asked for in a minute, or what was drawn of it."""

    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What was drawn of one budget; 0 when what was left is enough."""

    budget: UUID
    period: Period
    span: Span
    nano: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn of all of a caller's budgets; `refused` names the period of the one that is used up."""

    grants: tuple[Grant, ...]
    refused: Period | None = None


async def draw(
    connection: asyncpg.Connection,
    tenant: TenantId,
    key: UUID | None,
    gateway: UUID,
    at: datetime,
    *,
    need_nano: int,
    left_nano: Mapping[tuple[UUID, date], int],
) -> Drawn:
    """Each budget of the caller has `need_nano` left for this gateway, or the first one that has not is named.

    `left_nano` is what the gateway still has, by budget and period. Leases that are drawn on are confirmed.
    """
    grants: list[Grant] = []
    async with connection.transaction():
        for id_, period, cap, since in await connection.fetch(_BUDGETS, tenant, key):
            span = span_of(period, since, at)
            row = tenant, id_, span.begins
            await connection.execute(_PERIOD, *row)
            spent = await connection.fetchval(_LOCK, *row)
            leased = int(await connection.fetchval(_LEASED, *row, gateway))
            free = cap - spent - leased
            missing = max(0, need_nano - left_nano.get((id_, span.begins), 0))
            drawn = slice_of(free, missing) if missing else 0
            # Below zero after the cap was lowered: what was drawn before it is not good any more.
            if free < 0 or (missing and not drawn):
                return Drawn(tuple(grants), period)
            await connection.execute(_GRANT, *row, gateway, drawn, KEPT_S)
            grants.append(Grant(id_, period, span, drawn))
    return Drawn(tuple(grants))


async def give_back(
    connection: asyncpg.Connection, tenant: TenantId, budget: UUID, begins: date, *, gateway: UUID, nano: int
) -> None:
    """An amount that the gateway had drawn is everybody's again."""
    async with connection.transaction():
        await connection.fetchval(_LOCK, tenant, budget, begins)
        await connection.execute(_GIVE_BACK, tenant, budget, begins, gateway, nano)


async def release(connection: asyncpg.Connection, gateway: UUID) -> None:
    """A gateway that is gone, and of which everything is recorded, holds nothing any more."""
    await connection.execute(_RELEASE, gateway)


async def sweep(connection: asyncpg.Connection) -> None:
    """Minutes that are over and leases that have long expired are gone."""
    for statement in _SWEEP:
        await connection.execute(statement)


async def draw_rate(
    connection: asyncpg.Connection, tenant: TenantId, at: datetime, need: Rates, limits: Rates
) -> Rates | None:
    """What was drawn of the minute: a share of each that is needed, at least the need; None: it is used up.

    `limits` are those of a tenant without its own. A request that is larger than the whole limit is let through as the
    first of its minute: it could never be made.
    """
    own = await connection.fetchrow(_LIMITS, tenant)
    limit = Rates(*own) if own is not None else limits
    share = Rates(_share(need.requests, limit.requests), _share(need.tokens, limit.tokens))
    for drawn in (share, need):
        row = tenant, minute_of(at), drawn.requests, drawn.tokens
        if await connection.fetchval(_RATE, *row, limit.requests, limit.tokens):
            return drawn
    return None


def minute_of(at: datetime) -> datetime:
    """The beginning of the minute in which an instant lies."""
    return at.replace(second=0, microsecond=0)


def seconds_left(at: datetime) -> int:
    """Until the next minute begins."""
    return max(1, round((minute_of(at) + timedelta(seconds=MINUTE_S) - at).total_seconds()))


def _share(need: int, limit: int) -> int:
    return max(need, limit // _RATE_SHARE) if need else 0
