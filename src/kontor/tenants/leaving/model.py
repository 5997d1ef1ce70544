"""Tables of exports and erasures.

An export is the tenant's and goes with it. An erasure outlives its tenant and names nobody: ids, counts and instants.
Invariants:

- At most one export of a tenant is queued or running. `tries` counts starts, also those that killed their worker.
- `touched_at` is its last sign of life.
- `file` is set in the transaction that makes the export ready, never before the whole file is stored.
- An erasure's `step` only moves forward, except that a verification that finds something left goes back.
- `persons` holds who goes with the tenant, and `instances` what was its assistant; both are emptied at the end.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import CURRENT_TENANT, shared_table, tenant_table


class ExportState(StrEnum):
    """Where an export stands."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


class ErasureStep(StrEnum):
    """What is done next, in this order."""

    REGISTER = "register"
    KEYS = "keys"
    INSTANCE = "instance"
    FILES = "files"
    ROWS = "rows"
    PERSONS = "persons"
    DATA_KEY = "data_key"
    VERIFY = "verify"
    DONE = "done"


class Export(Base):
    """One ZIP of everything that is the tenant's."""

    __tablename__ = "exports"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        CheckConstraint("(state = 'ready') <= (file IS NOT NULL)", name="ready"),
        Index("uq_exports_running", "tenant_id", unique=True, postgresql_where=text("state IN ('queued', 'running')")),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    state: Mapped[str]
    step: Mapped[str]
    progress: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    file: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    failure: Mapped[str | None]
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)


class Erasure(Base):
    """One tenant's erasure: what is done, what is still to do, and at the end what was measured."""

    __tablename__ = "erasures"
    __table_args__ = (
        Index("ix_erasures_due", "due_at", postgresql_where=text("done_at IS NULL")),
        shared_table(
            why="the proof outlives the tenant and names nobody",
            app="SELECT, INSERT",
            visible=f"erased_tenant_id = {CURRENT_TENANT}",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_tenant_id: Mapped[UUID] = mapped_column(unique=True)
    step: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    failure: Mapped[str | None]
    instances: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    persons: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    proof: Mapped[dict[str, Any] | None]
    requested_at: Mapped[datetime]
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
