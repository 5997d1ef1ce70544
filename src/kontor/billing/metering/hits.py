"""How often requests were refused by the acceptable-use policy, as tenants and operators read it.

Counting: guard. Owns the questions; nothing here holds a word of what was said. Days are those of Europe/Berlin.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, func, select

from kontor.billing.metering.model import PolicyAlert, PolicyHits
from kontor.core.db import Tx
from kontor.core.ids import TenantId


@dataclass(frozen=True, slots=True)
class HitsOfDay:
    """Refusals of one category on one day."""

    day: date
    category: str
    hits: int


@dataclass(frozen=True, slots=True)
class HitsOfTenant:
    """A tenant's refusals of one category in a period; `last` is the newest day with one."""

    tenant: TenantId
    category: str
    hits: int
    last: date


async def hits_by_day(tx: Tx, tenant: TenantId, first: date, last: date) -> list[HitsOfDay]:
    """By day, then category, for the days from `first` to `last`. Days without a hit have no row."""
    rows = await tx.execute(
        select(PolicyHits.day, PolicyHits.category, PolicyHits.hits)
        .where(PolicyHits.tenant_id == tenant, PolicyHits.day.between(first, last))
        .order_by(PolicyHits.day, PolicyHits.category)
    )
    return [HitsOfDay(*row) for row in rows]


async def hits_of_tenants(
    tx: Tx, first: date, last: date, *, tenant: TenantId | None = None, limit: int = 200
) -> list[HitsOfTenant]:
    """Up to `limit` sums over these days by tenant and category, the highest first. Needs a system unit of work."""
    total = func.sum(PolicyHits.hits)
    query = (
        select(PolicyHits.tenant_id, PolicyHits.category, total, func.max(PolicyHits.day))
        .where(PolicyHits.day.between(first, last))
        .group_by(PolicyHits.tenant_id, PolicyHits.category)
        .order_by(total.desc(), PolicyHits.tenant_id, PolicyHits.category)
        .limit(limit)
    )
    if tenant is not None:
        query = query.where(PolicyHits.tenant_id == tenant)
    return [HitsOfTenant(TenantId(of), category, int(hits), day) for of, category, hits, day in await tx.execute(query)]


async def forget_hits(tx: Tx, tenant: TenantId) -> None:
    """Nothing of the tenant's refusals is left."""
    await tx.execute(delete(PolicyAlert).where(PolicyAlert.tenant_id == tenant))
    await tx.execute(delete(PolicyHits).where(PolicyHits.tenant_id == tenant))
