"""What every tenant used in some Berlin days, for operators. For a system unit of work.

From the hourly sums, and from what the gateways refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, union

from kontor.billing.metering.model import GatewayRefusals, UsageHour
from kontor.billing.queries import SUMS, Used
from kontor.core.clock import day_start
from kontor.core.db import Tx
from kontor.core.ids import TenantId

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """One tenant's sums, and how many of its requests were refused, by code."""

    tenant: TenantId
    used: Used
    refusals: Mapping[str, int]

    @property
    def refused(self) -> int:
        """All of them."""
        return sum(self.refusals.values())


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
    in_hours = UsageHour.hour >= day_start(first), UsageHour.hour < day_start(last + _DAY)
    in_days = GatewayRefusals.day >= first, GatewayRefusals.day <= last
    who = union(
        select(UsageHour.tenant_id.label("tenant")).where(*in_hours),
        select(GatewayRefusals.tenant_id).where(*in_days),
    ).subquery()
    page = select(who.c.tenant).order_by(who.c.tenant.desc()).limit(limit)
    if only is not None:
        page = page.where(who.c.tenant == only)
    if before is not None:
        page = page.where(who.c.tenant < before)
    tenants = (await tx.scalars(page)).all()
    hours = (
        select(UsageHour.tenant_id, *map(func.sum, SUMS))
        .where(UsageHour.tenant_id.in_(tenants), *in_hours)
        .group_by(UsageHour.tenant_id)
    )
    used = {tenant: Used(*map(int, sums)) for tenant, *sums in await tx.execute(hours)}
    refused = (
        select(GatewayRefusals.tenant_id, GatewayRefusals.code, func.sum(GatewayRefusals.requests))
        .where(GatewayRefusals.tenant_id.in_(tenants), *in_days)
        .group_by(GatewayRefusals.tenant_id, GatewayRefusals.code)
        .order_by(GatewayRefusals.code)
    )
    refusals: dict[UUID, dict[str, int]] = {tenant: {} for tenant in tenants}
    for tenant, code, requests in await tx.execute(refused):
        refusals[tenant][code] = int(requests)
    return [TenantUsage(TenantId(one), used.get(one, Used()), refusals[one]) for one in tenants]
