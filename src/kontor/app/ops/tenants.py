"""Tenants as operators see and handle them. Nothing here shows what customers wrote."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from kontor.app.api.erasures import ReceiptOut
from kontor.app.api.ids import InstanceIdText, TenantIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.http.deps import ContainerDep, DatabaseDep, LoggedIn, OperatorCaller, OperatorReader
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, TenantId, encode
from kontor.tenants.events import Suspension
from kontor.tenants.leaving.erase import begin_erasure
from kontor.tenants.lifecycle.operators_list import find_tenant, list_tenants
from kontor.tenants.lifecycle.resume import resume
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.suspend import suspend
from kontor.tenants.model import TenantState
from kontor.tenants.people.sessions import person_text

router = APIRouter(prefix="/api/v1/ops", tags=["operator"], route_class=IdempotentRoute)

TenantPath = Annotated[TenantIdText, Path()]


class TenantLineOut(Answer):
    """One tenant. What the instance shows is null while it has none."""

    id: TenantIdText
    slug: str
    state: TenantState
    suspended_for: str | None
    plan: str
    is_pilot: bool
    seats: int
    country: str
    created_at: datetime
    activated_at: datetime | None
    instance: InstanceIdText | None
    phase: str | None = Field(description="what should be with the assistant")
    observed: str | None = Field(description="what is with the assistant")
    release: str | None
    restarts: int | None
    failure_code: str | None
    failure_detail: str | None
    ready_at: datetime | None
    last_used_at: datetime | None


class SuspensionIn(Body):
    """Why the tenant is suspended."""

    why: Suspension


@router.get("/tenants", responses=problems())
async def list_all_tenants(
    _: OperatorReader,
    database: DatabaseDep,
    page: Annotated[PageQuery, Depends(page_query)],
    q: Annotated[str | None, Query(max_length=100, description="part of the slug, or a whole id")] = None,
    state: Annotated[TenantState | None, Query()] = None,
) -> Page[TenantLineOut]:
    """The newest first."""
    before = TenantId(page.after) if page.after else None
    async with database.system_uow() as tx:
        found = await list_tenants(tx, state=state, search=q, before=before, limit=page.limit + 1)
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[TenantLineOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if has_more else None,
    )


@router.get("/tenants/{tenant_id}", responses=problems())
async def show_tenant(tenant_id: TenantPath, _: OperatorReader, database: DatabaseDep) -> TenantLineOut:
    """One tenant with its instance."""
    return await _shown(database, tenant_id)


@router.post("/tenants/{tenant_id}/suspension", status_code=202, responses=problems(409))
async def suspend_tenant(
    tenant_id: TenantPath, body: SuspensionIn, caller: OperatorCaller, database: DatabaseDep
) -> TenantLineOut:
    """The assistant answers with the notice and asks no model; data, export and invoices stay."""
    async with database.uow(tenant_id) as tx:
        await suspend(tx, tenant_id, body.why, _actor(caller))
    return await _shown(database, tenant_id)


@router.delete("/tenants/{tenant_id}/suspension", status_code=202, responses=problems(409))
async def resume_tenant(tenant_id: TenantPath, caller: OperatorCaller, database: DatabaseDep) -> TenantLineOut:
    """The suspension is over; the assistant starts again."""
    async with database.uow(tenant_id) as tx:
        await resume(tx, tenant_id, _actor(caller))
    return await _shown(database, tenant_id)


@router.post("/tenants/{tenant_id}/retry", status_code=202, responses=problems(409))
async def retry_tenant(tenant_id: TenantPath, caller: OperatorCaller, database: DatabaseDep) -> TenantLineOut:
    """A failed setup begins anew; a restart that waits is tried at once."""
    async with database.uow(tenant_id) as tx:
        await retry_provisioning(tx, tenant_id, _actor(caller))
    return await _shown(database, tenant_id)


@router.delete("/tenants/{tenant_id}", status_code=202, responses=problems())
async def erase_tenant(tenant_id: TenantPath, caller: OperatorCaller, container: ContainerDep) -> ReceiptOut:
    """Everything of the tenant is being erased; nothing brings it back. A second call gives the same receipt."""
    async with container.database.uow(tenant_id) as tx:
        receipt = await begin_erasure(tx, tenant_id, _actor(caller), container.keys)
    erasure = encode(PREFIXES["erasure"], receipt.erasure)
    url = f"{container.settings.base_url.rstrip('/')}/api/v1/erasures/{erasure}"
    return ReceiptOut(erasure_id=receipt.erasure, token=receipt.token, url=url)


async def _shown(database: Database, tenant: TenantId) -> TenantLineOut:
    async with database.system_uow() as tx:
        found = await find_tenant(tx, encode(PREFIXES["tenant"], tenant))
    if found is None:
        raise NotFound
    return TenantLineOut.model_validate(found)


def _actor(caller: LoggedIn) -> Actor:
    return Actor("operator", person_text(caller.person), caller.address, caller.person)
