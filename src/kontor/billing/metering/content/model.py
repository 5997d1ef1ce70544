"""Tables of the content log: whether a tenant has it, and one sealed row per call while it has.

Gateways write rows and cannot read any, not their own either.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, tenant_table


class ContentLog(Base):
    """A tenant's choice. The private key is sealed under the tenant's data key; without a row it was never on."""

    __tablename__ = "content_logs"
    __table_args__ = (CheckConstraint("retention_days BETWEEN 1 AND 30", name="retention"), tenant_table())

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_on: Mapped[bool]
    retention_days: Mapped[int]
    public_key: Mapped[bytes]
    private_key: Mapped[bytes]
    changed_at: Mapped[datetime]


class ContentEntry(Base):
    """One call. `id` is the usage event's; sizes are those before cutting, `status` what the caller was answered.

    `content` is sealed for the tenant's public key.
    """

    __tablename__ = "content_entries"
    __table_args__ = (
        Index("ix_content_entries_tenant_id_at", "tenant_id", "at"),
        tenant_table(app="SELECT, DELETE", gateway="INSERT"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    key_id: Mapped[UUID]
    instance_id: Mapped[UUID | None]
    model: Mapped[str]
    dialect: Mapped[str]
    status: Mapped[int | None]
    request_bytes: Mapped[int] = mapped_column(BigInteger)
    answer_bytes: Mapped[int] = mapped_column(BigInteger)
    is_truncated: Mapped[bool]
    content: Mapped[bytes] = mapped_column(info=personal(sealed=True))
