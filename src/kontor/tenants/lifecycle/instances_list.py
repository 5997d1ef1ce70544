"""The operator's list of instances, newest first, those of the warm pool too."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select

from kontor.core.db import Tx
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.lifecycle.operators_list import MOST
from kontor.tenants.model import Tenant
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.states import Phase


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """One instance. `tenant` and `tenant_slug` are None while it waits in the pool."""

    id: InstanceId
    tenant: TenantId | None
    tenant_slug: str | None
    blueprint: str
    site: str
    release: str
    phase: Phase
    observed: str
    dialect: str
    revision: int
    applied_revision: int
    tries: int
    restarts: int
    failure_code: str | None
    failure_detail: str | None
    created_at: datetime
    ready_at: datetime | None
    last_used_at: datetime | None


async def list_instances(
    tx: Tx, *, phase: Phase | None = None, before: InstanceId | None = None, limit: int = 50
) -> list[InstanceLine]:
    """Up to `limit` instances older than `before`, which is the last id of the page before.

    Needs a system unit of work.
    """
    query = _lines().order_by(Instance.id.desc()).limit(max(1, min(limit, MOST)))
    if phase is not None:
        query = query.where(Instance.phase == phase)
    if before is not None:
        query = query.where(Instance.id < before)
    return [_line(row, tenant, slug) for row, tenant, slug in await tx.execute(query)]


async def instance_line(tx: Tx, instance: InstanceId) -> InstanceLine | None:
    """One instance. Needs a system unit of work."""
    row = (await tx.execute(_lines().where(Instance.id == instance))).one_or_none()
    return _line(*row) if row else None


async def count_pool(tx: Tx) -> int:
    """Instances that are ready and nobody's. Needs a system unit of work."""
    ready = _lines().where(Instance.phase == Phase.READY, Assignment.tenant_id.is_(None)).with_only_columns(Instance.id)
    return await tx.scalar(select(func.count()).select_from(ready.subquery())) or 0


def _lines() -> Select[Instance, UUID, str]:
    return (
        select(Instance, Tenant.id, Tenant.slug)
        .outerjoin(Assignment, Assignment.instance_id == Instance.id)
        .outerjoin(Tenant, Tenant.id == Assignment.tenant_id)
    )


def _line(row: Instance, tenant: UUID | None, slug: str | None) -> InstanceLine:
    return InstanceLine(
        id=InstanceId(row.id),
        tenant=TenantId(tenant) if tenant else None,
        tenant_slug=slug,
        blueprint=row.blueprint,
        site=row.site,
        release=row.release,
        phase=Phase(row.phase),
        observed=row.observed,
        dialect=row.dialect,
        revision=row.revision,
        applied_revision=row.applied_revision,
        tries=row.tries,
        restarts=row.restarts,
        failure_code=row.failure_code,
        failure_detail=row.failure_detail,
        created_at=row.created_at,
        ready_at=row.ready_at,
        last_used_at=row.last_used_at,
    )
