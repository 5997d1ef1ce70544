"""Table of turns per member and API key: what was asked of the assistant, and how much may be.

The assistant hides from the gateway who asked, so that budgets of a person or a program can only hold here, at the
edge where the end user comes in. Invariants:

- One row for who asks, named as in conversations: `channel` and `source`. It is there from the first turn or the first
  limit on, and it counts without a limit too: a limit that is set at noon holds for the turns of the morning.
- Limit and counts stand in one row, so that one statement decides and counts: of two turns at once only one has the
  last place, and none slips past a limit that is being changed.
- `day` and `month` (its first day) are Berlin's and never go back, whatever a process's clock does.
- The row outlives a membership: who is removed and comes back finds limit and counts again.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import tenant_table


class TurnLimit(Base):
    """The turns of a day and a month that who asks may have; none: any number. Zero is none at all."""

    __tablename__ = "turn_limits"
    __table_args__ = (
        CheckConstraint("per_day >= 0 AND per_month >= 0", name="limits"),
        CheckConstraint("turns_of_day >= 0 AND turns_of_month >= 0", name="counts"),
        tenant_table(),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[UUID] = mapped_column(primary_key=True)
    per_day: Mapped[int | None]
    per_month: Mapped[int | None]
    day: Mapped[date]
    turns_of_day: Mapped[int] = mapped_column(default=0)
    month: Mapped[date]
    turns_of_month: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=1)
