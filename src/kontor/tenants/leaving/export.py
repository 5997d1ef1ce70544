"""Asking for an export, and reading how far it is. Making it: build."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, ExportId, TenantId, encode, new_id
from kontor.core.jobs import enqueue
from kontor.tenants.errors import NotPossible
from kontor.tenants.leaving.errors import ExportExpired, ExportNotReady, failure_text
from kontor.tenants.leaving.model import Export, ExportState
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import TenantState

BUILD_JOB: Final = "export.build"
KEPT: Final = timedelta(days=7)
RUNNING: Final = (ExportState.QUEUED, ExportState.RUNNING)


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export as the tenant sees it. `progress` is 0 to 100; `step` is the file that is being written."""

    id: ExportId
    state: ExportState
    step: str
    progress: int
    size_bytes: int | None
    sha256: str | None
    failure: Text | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a finished export lies."""

    file: str
    size_bytes: int
    sha256: str
    created_at: datetime


async def request_export(tx: Tx, tenant: TenantId, by: Actor) -> ExportView:
    """An export is on its way: a new one, or the one that is running already.

    Raises NotFound, NotPossible (the tenant is being erased).
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.ERASING:
        raise NotPossible(TenantState.ERASING, TenantState.ACTIVE)
    export = ExportId(new_id())
    made = await tx.scalar(
        insert(Export)
        .values(
            id=export,
            tenant_id=tenant,
            state=ExportState.QUEUED,
            step="",
            progress=0,
            tries=0,
            created_at=tx.now,
            touched_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(Export.id)
    )
    if made is not None:
        await enqueue(tx, BUILD_JOB, {"export": str(export)}, tenant=tenant)
        await audit.record(tx, by, "export.requested", target=encode(PREFIXES["export"], export), tenant=tenant)
        return await read_export(tx, tenant, export)
    running = select(Export).where(Export.tenant_id == tenant, Export.state.in_(RUNNING))
    return _view((await tx.scalars(running)).one())


async def read_export(tx: Tx, tenant: TenantId, export: ExportId) -> ExportView:
    """How far it is. Raises NotFound."""
    return _view(await _row(tx, tenant, export))


async def list_exports(tx: Tx, tenant: TenantId, *, after: ExportId | None, limit: int) -> list[ExportView]:
    """The newest first; one more than `limit` when there are more."""
    query = select(Export).where(Export.tenant_id == tenant).order_by(Export.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(Export.id < after)
    return [_view(row) for row in await tx.scalars(query)]


async def fetch_export(tx: Tx, tenant: TenantId, export: ExportId, by: Actor) -> Stored:
    """Where its file lies; that it is fetched is in the audit log. Raises NotFound, ExportNotReady, ExportExpired."""
    row = await _row(tx, tenant, export)
    if row.state == ExportState.EXPIRED or (row.expires_at is not None and row.expires_at <= tx.now):
        raise ExportExpired
    if row.state != ExportState.READY or row.file is None or row.size_bytes is None or row.sha256 is None:
        raise ExportNotReady
    await audit.record(tx, by, "export.downloaded", target=encode(PREFIXES["export"], export), tenant=tenant)
    return Stored(row.file, row.size_bytes, row.sha256, row.created_at)


async def _row(tx: Tx, tenant: TenantId, export: ExportId) -> Export:
    row = await tx.scalar(select(Export).where(Export.tenant_id == tenant, Export.id == export))
    if row is None:
        raise NotFound
    return row


def _view(row: Export) -> ExportView:
    return ExportView(
        id=ExportId(row.id),
        state=ExportState(row.state),
        step=row.step,
        progress=row.progress,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        failure=failure_text(row.failure),
        created_at=row.created_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
    )
