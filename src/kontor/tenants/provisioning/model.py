"""Tables of instances and their assignment to a tenant.

An instance has no tenant; an assignment joins it to one and is never undone except by the tenant's erasure. `phase`
is what should be (see states), `observed` what the runtime last showed.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, shared_table, tenant_table, visible_through


class Instance(Base):
    """One assistant: a process with a volume, a token and a gateway key of its own."""

    __tablename__ = "instances"
    __table_args__ = (
        Index("ix_instances_due", "due_at"),
        shared_table(
            why="an instance of the warm pool has no tenant",
            app="SELECT, UPDATE",
            visible=visible_through("assignments", "instance_id", "instances.id"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    blueprint: Mapped[str] = mapped_column(default="openclaw")
    site: Mapped[str]
    release: Mapped[str]
    phase: Mapped[str]
    observed: Mapped[str]
    endpoint: Mapped[str | None]
    sealed_for: Mapped[UUID]
    token: Mapped[bytes]
    gateway_key: Mapped[bytes]
    memory_mb: Mapped[int]
    revision: Mapped[int] = mapped_column(default=1)
    applied_revision: Mapped[int] = mapped_column(default=0)
    generation: Mapped[int] = mapped_column(default=1)
    tries: Mapped[int] = mapped_column(default=0)
    restarts: Mapped[int] = mapped_column(default=0)
    failure_code: Mapped[str | None]
    failure_detail: Mapped[str | None]
    due_at: Mapped[datetime]
    lease_by: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    observed_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Assignment(Base):
    """This instance is this tenant's, for ever."""

    __tablename__ = "assignments"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), unique=True)
    assigned_at: Mapped[datetime]


class AssistantSettings(Base):
    """What the tenant says about its assistant. `revision` is the ETag and the number of the files' state."""

    __tablename__ = "assistant_settings"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    display_name: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    system_prompt: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]
