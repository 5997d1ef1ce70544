"""Table of acceptances: who accepted what, when, from where, with the very text."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, tenant_table


class Acceptance(Base):
    """One accepted version of one document. Never changed; the text is kept as it was shown."""

    __tablename__ = "acceptances"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind", "version"),
        tenant_table(app="SELECT, INSERT"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    person_id: Mapped[UUID]
    kind: Mapped[str]
    version: Mapped[str]
    language: Mapped[str]
    sha256: Mapped[str]
    text: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    address: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    accepted_at: Mapped[datetime]
