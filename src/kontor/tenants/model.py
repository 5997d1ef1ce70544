"""The tenant: one company, its choices at sign-up, and where it stands in its life."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import CURRENT_TENANT, personal, shared_table


class TenantState(StrEnum):
    """Where a tenant stands. What may follow what: states."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ERASING = "erasing"


class Tenant(Base):
    """One company. The row goes with the erasure; what survives is told by the erasure's receipt."""

    __tablename__ = "tenants"
    __table_args__ = (
        CheckConstraint("seats >= 1", name="seats"),
        shared_table(why="its id is the tenant", app="SELECT, UPDATE", visible=f"id = {CURRENT_TENANT}"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seller: Mapped[str]
    slug: Mapped[str] = mapped_column(
        unique=True, info=personal(sealed=False, why="names the tenant's objects to operators; immutable")
    )
    profile: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    country: Mapped[str]
    industry: Mapped[str]
    residency: Mapped[str]
    plan: Mapped[str]
    is_pilot: Mapped[bool]
    seats: Mapped[int]
    language: Mapped[str]
    state: Mapped[str]
    suspended_for: Mapped[str | None]
    retention_days: Mapped[int] = mapped_column(default=90)
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
