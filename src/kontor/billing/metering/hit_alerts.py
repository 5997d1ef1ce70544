"""Telling the operator of tenants whose requests the acceptable-use policy refuses often, once in seven days each.

Why not at the first: the rules err on harmless requests, and one bad question of one end user is no pattern. A schedule
looks; the day that was found stands in one row a tenant, so that two workers find it once, and whoever tells it claims
it in the transaction in which the mails are written.
"""

from datetime import date, timedelta
from typing import Final

from sqlalchemy import text, update

from kontor.billing.events import PolicyHitsPiledUp
from kontor.billing.metering.hits import HitsOfTenant, hits_of_tenants
from kontor.billing.metering.model import PolicyAlert
from kontor.core.clock import day_of
from kontor.core.db import Database, Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId

SCHEDULE: Final = "policy.alerts"
EVERY_FIVE_MINUTES: Final = "*/5 * * * *"
DAYS: Final = 7
"""Hits of this many days, today included, count together; and so many days pass until a tenant is told of again."""

_FIND: Final = text(
    """
    INSERT INTO policy_alerts AS a (tenant_id, day, hits)
    SELECT tenant_id, :today, sum(hits) FROM policy_hits
    WHERE day BETWEEN :first AND :today GROUP BY tenant_id HAVING sum(hits) >= :enough ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET day = excluded.day, hits = excluded.hits, told_at = NULL
    WHERE a.day < :first
    RETURNING tenant_id
    """
)


async def find_due(database: Database, enough: int) -> int:
    """Every tenant with `enough` hits in DAYS days is an event, once in DAYS days; how many. 0 turns it off."""
    if enough == 0:
        return 0
    async with database.system_uow() as tx:
        today = day_of(tx.now)
        found = await tx.execute(_FIND, {"today": today, "first": _first(today), "enough": enough})
        tenants = [TenantId(row[0]) for row in found]
        for tenant in tenants:
            await publish(tx, PolicyHitsPiledUp(tenant))
    return len(tenants)


async def claim(tx: Tx, tenant: TenantId) -> list[HitsOfTenant]:
    """What the operator is to be told in this transaction, by category; nothing when it was told already.

    Needs a system unit of work.
    """
    day = await tx.scalar(
        update(PolicyAlert)
        .where(PolicyAlert.tenant_id == tenant, PolicyAlert.told_at.is_(None))
        .values(told_at=tx.now)
        .returning(PolicyAlert.day)
    )
    return [] if day is None else await hits_of_tenants(tx, _first(day), day, tenant=tenant)


def _first(last: date) -> date:
    return last - timedelta(days=DAYS - 1)
