"""Tables of instances and their assignment to a tenant.

An instance has no tenant; an assignment joins it to one and is never undone except by the tenant's erasure. `phase`
is what should be (see states), `observed` what the runtime last showed. Invariants:

- The row is there before anything else of the instance (data key, gateway key, process) and goes last.
- `token` and `gateway_key` are sealed under the data key of `sealed_for`: the instance itself in the pool, the tenant
  after assignment. `has_own_key` is true before the instance's own data key is created and until it is destroyed.
- `revision` counts what files and `dialect` should be, `applied_revision` what was written; `generation` counts
  decisions about the row, so that whoever acted on an older one notices.
- Only the holder of an unexpired lease (`lease_by`, `lease_until`) talks to the runtime about the instance.
- `observed_at` is since when `observed` holds, `due_at` before when nothing is tried again, `ready_at` when the
  instance was ready for the first time.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, shared_table, tenant_table, visible_through


class Instance(Base):
    """One assistant: a process with a volume, a token and a gateway key of its own."""

    __tablename__ = "instances"
    __table_args__ = (
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
    has_own_key: Mapped[bool] = mapped_column(default=False)
    token: Mapped[bytes | None]
    gateway_key: Mapped[bytes | None]
    memory_mb: Mapped[int]
    dialect: Mapped[str] = mapped_column(server_default="chat")
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
    """This instance is this tenant's, for ever. `ready_at` is when it first could answer for the tenant."""

    __tablename__ = "assignments"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), unique=True)
    assigned_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]


class AssistantSettings(Base):
    """What the tenant says about its assistant. `revision` is the ETag and the number of the files' state."""

    __tablename__ = "assistant_settings"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    display_name: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    system_prompt: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]
