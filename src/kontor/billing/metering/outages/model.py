"""Tables of providers' outages: what each gateway process saw of them, and which deployments a route had when.

Intervals only, never samples, and nothing of any tenant. Invariants:

- A row is one process's, so that no process waits for another and a process that was cut off from Postgres writes
  later: rows of several overlap, and whoever reads takes their union.
- What is known of an outage ends at `observed_until`, its last failed try. A process that dies leaves `ended_at` empty
  and that instant behind: nothing after it is claimed.
- The newest row of a route, by `since`, holds until now. A route without deployments has an empty list.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import shared_table


class ProviderOutage(Base):
    """[started_at, observed_until) in which a gateway process got no answer from a deployment.

    `is_third_party` is false for a machine of the operator's own; `cause` is how it began (see cause).
    """

    __tablename__ = "provider_outages"
    __table_args__ = (
        CheckConstraint("cause IN ('unreachable', 'silent', 'cut', 'failing', 'refuses')", name="cause"),
        CheckConstraint("observed_until >= started_at", name="forward"),
        CheckConstraint("ended_at IS NULL OR ended_at = observed_until", name="ended"),
        Index("ix_provider_outages_observed_until", "observed_until"),
        shared_table(why="an outage is the provider's", app="SELECT", gateway="SELECT, INSERT, UPDATE", visible="true"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    gateway: Mapped[UUID]
    deployment: Mapped[str]
    is_third_party: Mapped[bool]
    cause: Mapped[str]
    started_at: Mapped[datetime]
    observed_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ModelRoute(Base):
    """The deployments, in their order, that served a model in a dialect for a choice of data residency from `since`."""

    __tablename__ = "model_routes"
    __table_args__ = (
        shared_table(why="routes are the operator's", app="SELECT", gateway="SELECT, INSERT", visible="true"),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    dialect: Mapped[str] = mapped_column(primary_key=True)
    residency: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    deployments: Mapped[list[str]] = mapped_column(ARRAY(Text))
