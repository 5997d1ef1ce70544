"""What every tenant used in some Berlin days, for operators. For a system unit of work.

From the hourly sums; of refused requests those of the acceptable-use policy are recorded.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import func, select

from kontor.billing.metering.model import PolicyHits, UsageHour
from kontor.billing.queries import SUMS, Used
from kontor.core.clock import day_start
from kontor.core.db import Tx
from kontor.core.ids import TenantId

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """One tenant's sums, and how many of its requests the acceptable-use policy refused."""

    tenant: TenantId
    used: Used
    prohibited: int


async def usage_of_tenants(
    tx: Tx,
    first: date,
    last: date,
    *,
    only: TenantId | None = None,
    before: TenantId | None = None,
    limit: int | None = None,
) -> list[TenantUsage]:
    """Of the days from `first` to `last`, the newest tenants first; who asked for nothing is left out.

    `before` is the last tenant of the page before.
    """
    hours = (
        select(UsageHour.tenant_id, *map(func.sum, SUMS))
        .where(UsageHour.hour >= day_start(first), UsageHour.hour < day_start(last + _DAY))
        .group_by(UsageHour.tenant_id)
    )
    hits = (
        select(PolicyHits.tenant_id, func.sum(PolicyHits.hits))
        .where(PolicyHits.day >= first, PolicyHits.day <= last)
        .group_by(PolicyHits.tenant_id)
    )
    if only is not None:
        hours, hits = hours.where(UsageHour.tenant_id == only), hits.where(PolicyHits.tenant_id == only)
    if before is not None:
        hours = hours.where(UsageHour.tenant_id < before)
        hits = hits.where(PolicyHits.tenant_id < before)
    used = {
        tenant: Used(*map(int, sums))
        for tenant, *sums in await tx.execute(hours.order_by(UsageHour.tenant_id.desc()).limit(limit))
    }
    prohibited = {
        tenant: int(refused)
        for tenant, refused in await tx.execute(hits.order_by(PolicyHits.tenant_id.desc()).limit(limit))
    }
    tenants = sorted({*used, *prohibited}, reverse=True)
    rows = [TenantUsage(TenantId(one), used.get(one, Used()), prohibited.get(one, 0)) for one in tenants]
    return rows[:limit]
