"""How often a tenant's requests of a day were refused by the acceptable-use policy, and in which category."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import tenant_table


class PolicyHits(Base):
    """Refused requests of one Berlin day; nothing of what was said."""

    __tablename__ = "policy_hits"
    __table_args__ = (tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int] = mapped_column(BigInteger)
