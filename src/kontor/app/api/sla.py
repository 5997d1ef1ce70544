"""Availability of the assistant: a month with its outages, and the last ninety days."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from kontor.app.api.ids import InstanceIdText, OutageIdText
from kontor.app.api.schemas import Answer
from kontor.app.http.deps import Caller, ContainerDep, scoped
from kontor.app.http.errors import problems
from kontor.core.clock import Month, month_of
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.sla import causes
from kontor.tenants.sla.availability import Measured
from kontor.tenants.sla.queries import daily_strip, month_of_service

router = APIRouter(prefix="/api/v1", tags=["sla"])

ReaderCaller = Annotated[Caller, Depends(scoped("read"))]
MONTH_PATTERN: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"


class MonthInFuture(DomainError):
    """There is nothing to measure yet."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "sla.month_in_future",
            Text(
                de="Dieser Monat hat noch nicht begonnen. Wählen Sie den laufenden oder einen früheren.",
                en="This month has not begun yet. Choose the present one or an earlier one.",
            ),
        )


class MeasuredOut(Answer):
    """Whole seconds, and what follows from them."""

    availability_pct: Decimal | None = Field(
        description="1 - down / (in service - excluded - unobserved), in percent, rounded down; null: not measured",
        examples=["99.953"],
    )
    in_service_s: int
    down_s: int
    excluded_s: int = Field(description="hibernation, suspension and other time that does not count")
    provider_down_s: int = Field(description="of `excluded_s`: every permitted provider of models was down")
    unobserved_s: int = Field(description="time that nobody observed: neither up nor down, not counted")


class OutageOut(Answer):
    """One time in which the assistant was down."""

    id: OutageIdText
    instance_id: InstanceIdText
    component: str = Field(examples=["assistant"])
    cause: str = Field(examples=["down"])
    cause_text: str = Field(examples=["Assistent antwortete nicht"])
    started_at: datetime
    observed_until: datetime = Field(description="down at least until then")
    ended_at: datetime | None = Field(description="null while it lasts")


class ProvidersDownOut(Answer):
    """A time in which every provider of models that your data residency permits was down."""

    started_at: datetime
    observed_until: datetime = Field(description="the last failed try, or when one answered again")


class SlaOut(MeasuredOut):
    """A calendar month (Europe/Berlin) so far."""

    month: str = Field(examples=["2026-11"])
    plan: str = Field(examples=["professional"])
    target_pct: Decimal = Field(examples=["99.5"])
    is_met: bool | None = Field(description="by the exact value, not by the rounded one; null: not measured")
    outages: list[OutageOut] = Field(description="the newest first, at most 500")
    outages_total: int
    providers_down: list[ProvidersDownOut] = Field(description="excluded, and no outage of yours; the newest first")


class DayOut(MeasuredOut):
    """One day (Europe/Berlin)."""

    day: date


@router.get("/sla", responses=problems())
async def read_sla(
    caller: ReaderCaller,
    container: ContainerDep,
    month: Annotated[str | None, Query(pattern=MONTH_PATTERN, description="default: the present one")] = None,
) -> SlaOut:
    """Availability of a month by the formula of the contract, against the plan's target."""
    present = month_of(container.clock.now())
    asked = Month.parse(month) if month else present
    if asked > present:
        raise MonthInFuture
    async with container.database.uow(caller.tenant) as tx:
        plan = (await tenant_of(tx, caller.tenant)).plan
        found = await month_of_service(tx, caller.tenant, asked, container.provider_outages)
    target = container.prices.plans[plan].availability_pct
    outages = [
        OutageOut(
            id=one.id,
            instance_id=one.instance,
            component=one.component,
            cause=one.cause,
            cause_text=causes.name_of(one.cause)(caller.lang),
            started_at=one.started_at.astimezone(UTC),
            observed_until=one.observed_until.astimezone(UTC),
            ended_at=one.ended_at.astimezone(UTC) if one.ended_at else None,
        )
        for one in found.outages
    ]
    return SlaOut(
        month=str(asked),
        plan=plan,
        target_pct=target,
        is_met=found.measured.meets(target),
        outages=outages,
        outages_total=found.outages_total,
        providers_down=[
            ProvidersDownOut(started_at=one.start.astimezone(UTC), observed_until=one.end.astimezone(UTC))
            for one in found.providers_down
        ],
        **_seconds(found.measured),
    )


@router.get("/sla/days", responses=problems())
async def read_sla_days(caller: ReaderCaller, container: ContainerDep) -> list[DayOut]:
    """The last ninety days, the oldest first; today is the last one."""
    async with container.database.uow(caller.tenant) as tx:
        strip = await daily_strip(tx, caller.tenant, container.clock.now(), container.provider_outages)
    return [DayOut(day=one.day, **_seconds(one.measured)) for one in strip]


def _seconds(measured: Measured) -> dict[str, int | Decimal | None]:
    return {
        "availability_pct": measured.availability_pct,
        "in_service_s": measured.in_service_s,
        "down_s": measured.down_s,
        "excluded_s": measured.excluded_s,
        "unobserved_s": measured.unobserved_s,
        "provider_down_s": measured.provider_down_s,
    }
