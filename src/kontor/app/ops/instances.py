"""Instances as operators see them, in the pool and in service."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from kontor.app.api.ids import InstanceIdText, TenantIdText
from kontor.app.api.schemas import Answer
from kontor.app.http.deps import DatabaseDep, OperatorReader
from kontor.app.http.errors import problems
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.ids import InstanceId
from kontor.tenants.lifecycle.instances_list import list_instances
from kontor.tenants.states import Phase

router = APIRouter(prefix="/api/v1/ops", tags=["operator"])


class InstanceOut(Answer):
    """One instance; `tenant` is null in the warm pool."""

    id: InstanceIdText
    tenant: TenantIdText | None
    tenant_slug: str | None
    blueprint: str = Field(examples=["openclaw"])
    site: str = Field(examples=["local"])
    release: str = Field(examples=["2026.9.4"])
    phase: Phase = Field(description="what should be")
    observed: str = Field(description="what is", examples=["ready"])
    dialect: str = Field(description="the gateway's API in which it should ask for its model", examples=["chat"])
    revision: int = Field(description="of what files and dialect should be")
    applied_revision: int = Field(description="of what they are")
    tries: int
    restarts: int
    failure_code: str | None
    failure_detail: str | None
    created_at: datetime
    ready_at: datetime | None
    last_used_at: datetime | None


@router.get("/instances", responses=problems())
async def list_all_instances(
    _: OperatorReader,
    database: DatabaseDep,
    page: Annotated[PageQuery, Depends(page_query)],
    phase: Annotated[Phase | None, Query()] = None,
) -> Page[InstanceOut]:
    """The newest first."""
    before = InstanceId(page.after) if page.after else None
    async with database.system_uow() as tx:
        found = await list_instances(tx, phase=phase, before=before, limit=page.limit + 1)
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[InstanceOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if has_more else None,
    )
