"""Tables of service: since when an instance is in service, and the intervals in which it was not simply up.

Intervals only, never samples. Invariants, per instance:

- Service begins with the first observation that the assistant serves; there is no row before.
- `services.observed_until` is the latest observation; nothing after it is known.
- Intervals do not overlap and lie within [service_from, observed_until]; what lies in none of them was up.
- At most one interval is open (`ended_at` empty); it is known to hold up to its `observed_until`.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import tenant_table


class Component(StrEnum):
    """What an outage is an outage of."""

    ASSISTANT = "assistant"


class Service(Base):
    """One instance's time in service, as far as it was observed."""

    __tablename__ = "services"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(primary_key=True)
    service_from: Mapped[datetime]
    observed_until: Mapped[datetime]


class Outage(Base):
    """One interval [started_at, ended_at). `cause` is a stable code (see causes)."""

    __tablename__ = "outages"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "instance_id"], ["services.tenant_id", "services.instance_id"]),
        CheckConstraint("kind IN ('down', 'unobserved', 'excluded')", name="kind"),
        CheckConstraint("observed_until >= started_at", name="forward"),
        CheckConstraint("ended_at IS NULL OR ended_at = observed_until", name="ended"),
        Index("ix_outages_tenant_id_ends", "tenant_id", "observed_until"),
        Index(
            "uq_outages_open",
            "tenant_id",
            "instance_id",
            "component",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    instance_id: Mapped[UUID]
    component: Mapped[str]
    kind: Mapped[str]
    cause: Mapped[str]
    started_at: Mapped[datetime]
    observed_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
