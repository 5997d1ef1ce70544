"""Tables of budgets: what may be spent in a period, what has been, and who holds a part of the rest.

`spent_nano` is the recorder's, written with the events that it sums. A lease is a slice of what is left that one
gateway may spend without asking; spent + leased <= cap, always.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import tenant_table


class Budget(Base):
    """What a tenant, or one of its direct keys, may spend on models in each `period`.

    `allowance_nano` is what the plan includes. `cap_nano` is where calls are refused, empty: nowhere; it follows from
    what the plan, the operator and the tenant say (periods.effective_cap), and is all that gateways read. A `total` has
    one period for ever. The first month of an allowance counts by days from `since`. `revision` is that of all caps of
    the tenant, in the row of its plan's budget.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        CheckConstraint("period IN ('day', 'month', 'total')", name="period"),
        CheckConstraint("cap_nano >= 0 AND allowance_nano >= 0", name="amounts"),
        CheckConstraint("own_cap_nano >= 0 AND operator_cap_nano >= 0", name="caps"),
        Index(
            "ux_budgets_tenant_id_key_id_period",
            "tenant_id",
            "key_id",
            "period",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        tenant_table(gateway="SELECT"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[UUID | None]
    period: Mapped[str]
    allowance_nano: Mapped[int | None] = mapped_column(BigInteger)
    cap_nano: Mapped[int | None] = mapped_column(BigInteger)
    own_cap_nano: Mapped[int | None] = mapped_column(BigInteger)
    operator_cap_nano: Mapped[int | None] = mapped_column(BigInteger)
    since: Mapped[date]
    revision: Mapped[int] = mapped_column(server_default=text("1"))


class BudgetPeriod(Base):
    """What was spent of a budget in the period that begins on a Berlin day, and which share was told last."""

    __tablename__ = "budget_periods"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["budgets.tenant_id", "budgets.id"], ondelete="CASCADE"),
        tenant_table(gateway="SELECT, INSERT, UPDATE"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    begins: Mapped[date] = mapped_column(primary_key=True)
    spent_nano: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    told_pct: Mapped[int] = mapped_column(server_default=text("0"))


class BudgetLease(Base):
    """What one gateway process may still spend, or has spent and not recorded yet."""

    __tablename__ = "budget_leases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "budget_id", "begins"],
            ["budget_periods.tenant_id", "budget_periods.budget_id", "budget_periods.begins"],
            ondelete="CASCADE",
        ),
        Index("ix_budget_leases_gateway", "gateway"),
        tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE, DELETE"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    begins: Mapped[date] = mapped_column(primary_key=True)
    gateway: Mapped[UUID] = mapped_column(primary_key=True)
    amount_nano: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]


class RateLimit(Base):
    """How much a tenant may ask for in a minute, over all its keys; a tenant without a row has the settings' limits."""

    __tablename__ = "rate_limits"
    __table_args__ = (
        CheckConstraint("requests > 0 AND tokens > 0", name="amounts"),
        tenant_table(gateway="SELECT"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)


class RateWindow(Base):
    """What the gateways have drawn of a tenant's present minute. Unlogged: after a crash a minute begins anew."""

    __tablename__ = "rate_windows"
    __table_args__ = (
        {"prefixes": ["UNLOGGED"], **tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE, DELETE")},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
