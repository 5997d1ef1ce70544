"""Pages of the operator's console. Nothing here shows what customers wrote."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from kontor.app.portal.frame import EMPTY, Form
from kontor.app.portal.views.company import AuditRow
from kontor.app.portal.views.policy import CategoryRow
from kontor.billing.metering.budgets.standing import TenantBudget
from kontor.billing.queries import Used


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A tenant in the list; `slug` is the operator's name for it. `failure` is why its assistant does not run."""

    id: str
    slug: str
    plan: str
    is_pilot: bool
    state: str
    phase: str | None
    failure: str | None
    members: int
    seats: int
    since: datetime


@dataclass(frozen=True, slots=True)
class TenantFilter:
    """What the list is narrowed to; empty is everything."""

    q: str = ""
    state: str = ""
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Tenants:
    """All tenants."""

    template: ClassVar[str] = "ops/tenants.html"
    rows: tuple[TenantRow, ...]
    total: int
    only: TenantFilter
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class TenantsPart(Tenants):
    """The rows alone, asked for while typing."""

    template: ClassVar[str] = "ops/_tenants.html"


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """An instance; `tenant` is None in the pool."""

    id: str
    tenant: str | None
    tenant_slug: str | None
    phase: str
    observed: str
    release: str
    site: str
    revision: int
    applied_revision: int
    tries: int
    restarts: int
    created_at: datetime
    failure_code: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class TenantPage:
    """One tenant, and what an operator may do with it; `reasons` are those of a suspension.

    `used` and `refusals` (code, requests) are the present month's. `refused` are sums of the acceptable-use policy
    over the last `refused_days` days.
    """

    template: ClassVar[str] = "ops/tenant.html"
    row: TenantRow
    country: str
    industry: str
    residency: str
    suspended_for: str | None
    instance: InstanceRow | None
    audit: tuple[AuditRow, ...]
    acts: frozenset[str]
    budget: TenantBudget
    refused_days: int
    refused: tuple[CategoryRow, ...] = ()
    used: Used = Used()  # noqa: RUF009 - frozen
    refusals: tuple[tuple[str, int], ...] = ()
    reasons: tuple[str, ...] = ()
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class Instances:
    """All instances and the warm pool."""

    template: ClassVar[str] = "ops/instances.html"
    rows: tuple[InstanceRow, ...]
    pool_ready: int
    pool_size: int
    next_cursor: str | None = None
