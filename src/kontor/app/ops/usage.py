"""What each tenant used, for operators: there is no tenant in /metrics."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from kontor.app.api.ids import TenantIdText
from kontor.app.api.schemas import Answer
from kontor.app.api.usage import FromDay, ToDay, UsedOut, period, sums
from kontor.app.http.deps import ClockDep, DatabaseDep, OperatorReader
from kontor.app.http.errors import problems
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.billing.tenants_usage import TenantUsage, usage_of_tenants
from kontor.core.ids import TenantId

router = APIRouter(prefix="/api/v1/ops", tags=["operator"])


class TenantUsedOut(UsedOut):
    """What one tenant used. `cost_eur` is that of the priced calls."""

    tenant: TenantIdText
    estimated_calls: int = Field(description="calls whose tokens we had to estimate", examples=[0])
    refusals: dict[str, int] = Field(
        description="requests that the gateway refused, by code", examples=[{"gateway.budget_exhausted": 3}]
    )


class TenantsUsageOut(Answer):
    """Usage of whole Berlin days by tenant; tenants without any have no row. `to` is the last day."""

    from_: date = Field(alias="from", serialization_alias="from")
    to: date
    items: list[TenantUsedOut]
    next_cursor: str | None = Field(None, description="Send it as `cursor` for the next page; null on the last.")


@router.get("/usage", responses=problems(), response_model_by_alias=True)
async def read_tenants_usage(
    _: OperatorReader,
    database: DatabaseDep,
    clock: ClockDep,
    page: Annotated[PageQuery, Depends(page_query)],
    from_day: FromDay = None,
    to: ToDay = None,
) -> TenantsUsageOut:
    """By tenant, the newest first; without a range the present month until today."""
    first, last = period(clock, from_day, to)
    before = TenantId(page.after) if page.after else None
    async with database.system_uow() as tx:
        found = await usage_of_tenants(tx, first, last, before=before, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return TenantsUsageOut(
        **{"from": first},
        to=last,
        items=[_out(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].tenant) if more else None,
    )


def _out(one: TenantUsage) -> TenantUsedOut:
    return TenantUsedOut(
        tenant=one.tenant, estimated_calls=one.used.estimated, refusals=dict(one.refusals), **sums(one.used)
    )
