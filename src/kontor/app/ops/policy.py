"""How often the acceptable-use policy refused requests, tenant by tenant, as operators see it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from kontor.app.api.ids import TenantIdText
from kontor.app.api.schemas import Answer
from kontor.app.http.deps import DatabaseDep, OperatorReader
from kontor.app.http.errors import problems
from kontor.billing.metering import hit_alerts
from kontor.billing.metering.hits import hits_of_tenants
from kontor.core.clock import day_of
from kontor.core.db import Database
from kontor.core.ids import TenantId
from kontor.tenants.lifecycle.operators_list import slugs_of

router = APIRouter(prefix="/api/v1/ops", tags=["operator"])

MOST_DAYS = 366
MOST = 1000


@dataclass(frozen=True, slots=True)
class HitsLine:
    """A tenant's refusals of one category; `slug` is None for a tenant that is gone."""

    tenant: TenantId
    slug: str | None
    category: str
    hits: int
    last: date


class PolicyHitsLineOut(Answer):
    """A tenant's refusals of one category in the period."""

    tenant: TenantIdText
    slug: str | None
    category: str = Field(examples=["spam_fraud"])
    hits: int = Field(examples=[7])
    last: date = Field(description="the newest day with one")


class PolicyHitsOfTenantsOut(Answer):
    """The highest sums of whole Berlin days, `to` included."""

    from_: date = Field(alias="from", serialization_alias="from")
    to: date
    items: list[PolicyHitsLineOut]


async def hits_of_days(
    database: Database, days: int, tenant: TenantId | None = None, limit: int = MOST
) -> tuple[date, date, list[HitsLine]]:
    """First and last day, and the sums of these `days` days until today, the highest first."""
    async with database.system_uow() as tx:
        last = day_of(tx.now)
        first = last - timedelta(days=days - 1)
        found = await hits_of_tenants(tx, first, last, tenant=tenant, limit=limit)
        slugs = await slugs_of(tx, {one.tenant for one in found})
    return first, last, [HitsLine(one.tenant, slugs.get(one.tenant), one.category, one.hits, one.last) for one in found]


@router.get("/policy-hits", responses=problems(), response_model_by_alias=True)
async def list_policy_hits(
    _: OperatorReader,
    database: DatabaseDep,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="until today")] = hit_alerts.DAYS,
    tenant: Annotated[TenantIdText | None, Query(description="only this one")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> PolicyHitsOfTenantsOut:
    """By tenant and category, the highest first."""
    first, last, lines = await hits_of_days(database, days, tenant, limit)
    return PolicyHitsOfTenantsOut(
        **{"from": first}, to=last, items=[PolicyHitsLineOut.model_validate(one) for one in lines]
    )
