"""What a tenant reads about its service: a month with its outages, and a strip of days for the portal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Final

from sqlalchemy import func, select

from kontor.core.clock import Month, day_of, day_start
from kontor.core.db import Tx
from kontor.core.ids import InstanceId, OutageId, TenantId
from kontor.tenants.model import Tenant
from kontor.tenants.ports import ProviderOutages
from kontor.tenants.sla.availability import Interval, IntervalKind, Measured, Span, measure
from kontor.tenants.sla.model import Outage, Service
from kontor.tenants.sla.observe import LONGEST_GAP

STRIP_DAYS: Final = 90
MOST_OUTAGES: Final = 500


@dataclass(frozen=True, slots=True)
class OutageView:
    """One time of downtime. `ended_at` is None while it lasts; `observed_until` is how far it is known."""

    id: OutageId
    instance: InstanceId
    component: str
    cause: str
    started_at: datetime
    observed_until: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class MonthView:
    """A month so far. The newest outages come first; `outages_total` also counts those that were left out.

    `providers_down` is when every permitted provider of models was down, the newest first: excluded, and no outage of
    the assistant.
    """

    month: Month
    measured: Measured
    outages: tuple[OutageView, ...]
    outages_total: int
    providers_down: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class DayView:
    """One Berlin day."""

    day: date
    measured: Measured


async def month_of_service(tx: Tx, tenant: TenantId, month: Month, providers: ProviderOutages) -> MonthView:
    """What is known about the month at the transaction's time."""
    period = Span(month.start, month.end)
    in_service, intervals = await _known(tx, tenant, period, providers)
    downs = (
        Outage.tenant_id == tenant,
        Outage.kind == IntervalKind.DOWN,
        Outage.started_at < period.end,
        Outage.observed_until >= period.start,
    )
    total = await tx.scalar(select(func.count()).select_from(Outage).where(*downs))
    rows = await tx.scalars(select(Outage).where(*downs).order_by(Outage.started_at.desc()).limit(MOST_OUTAGES))
    excluded = (one for one in intervals if one.kind is IntervalKind.PROVIDER_DOWN)
    return MonthView(
        month,
        measure(period, in_service, intervals),
        tuple(_view(row) for row in rows),
        total or 0,
        tuple(Span(one.start, one.end) for one in sorted(excluded, key=attrgetter("start"), reverse=True)),
    )


async def daily_strip(
    tx: Tx, tenant: TenantId, until: datetime, providers: ProviderOutages, days: int = STRIP_DAYS
) -> list[DayView]:
    """The last `days` Berlin days up to the one in which `until` lies, the oldest first."""
    last = day_of(until)
    all_days = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
    bounds = [*(day_start(day) for day in all_days), day_start(last + timedelta(days=1))]
    in_service, intervals = await _known(tx, tenant, Span(bounds[0], bounds[-1]), providers)
    strip = []
    for day, start, end in zip(all_days, bounds, bounds[1:], strict=False):
        touching = [one for one in intervals if one.start < end and one.end > start]
        strip.append(DayView(day, measure(Span(start, end), in_service, touching)))
    return strip


async def _known(
    tx: Tx, tenant: TenantId, period: Span, providers: ProviderOutages
) -> tuple[list[Span], list[Interval]]:
    """Time in service and intervals that touch the period.

    Since the last observation nothing is known: once that is longer ago than a gap may be, the time until now is
    unobserved; before that it is simply not counted yet.
    """
    services: Sequence[Service] = (await tx.scalars(select(Service).where(Service.tenant_id == tenant))).all()
    rows = await tx.scalars(
        select(Outage).where(
            Outage.tenant_id == tenant, Outage.started_at < period.end, Outage.observed_until > period.start
        )
    )
    intervals = [Interval(row.started_at, row.observed_until, IntervalKind(row.kind)) for row in rows]
    residency = await tx.scalar(select(Tenant.residency).where(Tenant.id == tenant))
    if services and residency is not None:
        times = await providers.times(tx, residency, period.start, period.end)
        intervals += [Interval(start, end, IntervalKind.PROVIDER_DOWN) for start, end in times]
    in_service = []
    for service in services:
        until = service.observed_until
        if tx.now - until > LONGEST_GAP:
            intervals.append(Interval(until, tx.now, IntervalKind.UNOBSERVED))
            until = tx.now
        in_service.append(Span(service.service_from, until))
    return in_service, intervals


def _view(row: Outage) -> OutageView:
    return OutageView(
        OutageId(row.id),
        InstanceId(row.instance_id),
        row.component,
        row.cause,
        row.started_at,
        row.observed_until,
        row.ended_at,
    )
