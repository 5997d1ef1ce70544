"""The operator's list of tenants, newest first, with what their instances do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select

from kontor.core.db import Tx
from kontor.core.ids import InvalidId, TenantId, decode
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.people.model import Membership
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.states import Phase

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class TenantLine:
    """One tenant. What begins with `instance` or follows it is None while it has none."""

    id: TenantId
    slug: str
    state: TenantState
    suspended_for: str | None
    plan: str
    is_pilot: bool
    seats: int
    members: int
    country: str
    industry: str
    residency: str
    created_at: datetime
    activated_at: datetime | None
    instance: UUID | None
    phase: str | None
    observed: str | None
    release: str | None
    restarts: int | None
    failure_code: str | None
    failure_detail: str | None
    ready_at: datetime | None
    last_used_at: datetime | None


async def list_tenants(
    tx: Tx,
    *,
    state: TenantState | None = None,
    phase: Phase | None = None,
    search: str | None = None,
    before: TenantId | None = None,
    limit: int = 50,
) -> list[TenantLine]:
    """Up to `limit` tenants older than `before`, which is the last id of the page before.

    `search` is a part of the slug, or a whole id (`tnt_...`). Needs a system unit of work.
    """
    query = _lines().where(*_wanted(state, phase, search)).order_by(Tenant.id.desc())
    if before is not None:
        query = query.where(Tenant.id < before)
    return [_line(row) for row in await tx.execute(query.limit(max(1, min(limit, MOST))))]


async def count_tenants(
    tx: Tx, *, state: TenantState | None = None, phase: Phase | None = None, search: str | None = None
) -> int:
    """How many there are on all pages. Needs a system unit of work."""
    found = _lines().where(*_wanted(state, phase, search)).with_only_columns(Tenant.id)
    return await tx.scalar(select(func.count()).select_from(found.subquery())) or 0


async def find_tenant(tx: Tx, name: str) -> TenantLine | None:
    """The tenant with this id (`tnt_...`) or slug. Needs a system unit of work."""
    try:
        query = _lines().where(Tenant.id == decode("tnt", name))
    except InvalidId:
        query = _lines().where(Tenant.slug == name.replace("\0", ""))
    row = (await tx.execute(query)).one_or_none()
    return _line(row) if row else None


async def slugs_of(tx: Tx, tenants: Collection[TenantId]) -> dict[TenantId, str]:
    """The slugs of those of these tenants that there are. Needs a system unit of work."""
    rows = await tx.execute(select(Tenant.id, Tenant.slug).where(Tenant.id.in_(tenants)))
    return {TenantId(tenant): slug for tenant, slug in rows}


def _wanted(state: TenantState | None, phase: Phase | None, search: str | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if state is not None:
        wanted.append(Tenant.state == state)
    if phase is not None:
        wanted.append(Instance.phase == phase)
    if search:
        search = search.replace("\0", "")  # which Postgres takes in no text
        try:
            wanted.append(Tenant.id == decode("tnt", search))
        except InvalidId:
            wanted.append(Tenant.slug.icontains(search, autoescape=True))
    return wanted


def _lines() -> Select[Tenant, Instance, datetime | None, int]:
    members = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.tenant_id == Tenant.id)
        .correlate(Tenant)
        .scalar_subquery()
    )
    return (
        select(Tenant, Instance, Assignment.ready_at, members)
        .outerjoin(Assignment, Assignment.tenant_id == Tenant.id)
        .outerjoin(Instance, Instance.id == Assignment.instance_id)
        .execution_options(populate_existing=True)
    )


def _line(row: Row[Tenant, Instance, datetime | None, int]) -> TenantLine:
    tenant, instance, ready_at, members = row
    return TenantLine(
        id=TenantId(tenant.id),
        slug=tenant.slug,
        state=TenantState(tenant.state),
        suspended_for=tenant.suspended_for,
        plan=tenant.plan,
        is_pilot=tenant.is_pilot,
        seats=tenant.seats,
        members=members,
        country=tenant.country,
        industry=tenant.industry,
        residency=tenant.residency,
        created_at=tenant.created_at,
        activated_at=tenant.activated_at,
        instance=instance.id if instance else None,
        phase=instance.phase if instance else None,
        observed=instance.observed if instance else None,
        release=instance.release if instance else None,
        restarts=instance.restarts if instance else None,
        failure_code=instance.failure_code if instance else None,
        failure_detail=instance.failure_detail if instance else None,
        ready_at=ready_at,
        last_used_at=instance.last_used_at if instance else None,
    )
