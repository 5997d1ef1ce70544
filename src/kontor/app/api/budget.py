"""The company's AI budget: what is included, capped, spent and held; and its own caps."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from kontor.app.api.euros import CapEur, eur_of, nano_of
from kontor.app.api.schemas import Answer, Body
from kontor.app.http.deps import Caller, ContainerDep, scoped
from kontor.app.http.errors import problems
from kontor.app.http.etags import etag, expected_revision
from kontor.billing.metering.budgets.limits import Caps
from kontor.billing.metering.budgets.periods import ALERTS_PCT
from kontor.billing.metering.budgets.standing import Standing, TenantBudget
from kontor.core.money import decimal_of_nano
from kontor.tenants.people.model import Role

router = APIRouter(prefix="/api/v1", tags=["usage"])

BudgetReader = Annotated[Caller, Depends(scoped("usage"))]
BudgetSetter = Annotated[Caller, Depends(scoped(None, Role.OWNER, Role.ADMIN, Role.BILLING))]


class PeriodOut(Answer):
    """A budget in its present period. Months and days are Europe/Berlin's; `total` is all of a pilot."""

    period: Literal["day", "month", "total"]
    starts_at: datetime
    ends_at: datetime | None = Field(description="the first instant of the next period; null: none follows")
    included_eur: Decimal | None = Field(description="of model cost, by the plan; the first month counts by days")
    cap_eur: Decimal | None = Field(description="where calls are refused; null: nowhere")
    own_cap_eur: Decimal | None = Field(description="the cap that the company has chosen")
    highest_cap_eur: Decimal | None = Field(description="the highest it may choose; null: any")
    spent_eur: Decimal = Field(description="what the priced calls of the period cost", examples=["7.431000"])
    held_eur: Decimal = Field(description="set aside for calls under way; what they do not cost is free in seconds")
    percent: Decimal | None = Field(
        description="spent, of the included amount or the cap, whichever is less; null: of nothing", examples=["29.7"]
    )
    alerted_pct: int = Field(description="the highest share that owners and billing were told by mail", examples=[0])


class BudgetOut(Answer):
    """The budget of the plan (of a month, or of a whole pilot) and the company's cap of a day, if it has one."""

    plan: PeriodOut
    day: PeriodOut | None
    unpriced_calls: int = Field(description="calls of the plan's period whose price is not known yet", examples=[0])
    alert_steps_pct: list[int] = Field(description="the shares that are told by mail", examples=[[50, 80, 100]])


class CapsIn(Body):
    """The company's own caps; null removes one. A pilot's may not be above what its contract says."""

    cap_eur: CapEur | None = Field(description="of a month, or of a whole pilot", examples=["150.00"])
    day_cap_eur: CapEur | None = Field(description="of a day in Berlin", examples=[None])


@router.get("/budget", responses=problems())
async def read_budget(caller: BudgetReader, container: ContainerDep, response: Response) -> BudgetOut:
    """Where the budget stands now. The ETag comes back with a change."""
    async with container.database.uow(caller.tenant) as tx:
        found = await container.model_access.budget(tx, caller.tenant)
    response.headers["ETag"] = etag(found.revision)
    return BudgetOut(**budget_fields(found))


@router.put("/budget", responses=problems(409, 412, 428))
async def set_caps(
    body: CapsIn,
    caller: BudgetSetter,
    container: ContainerDep,
    expected: Annotated[int, Depends(expected_revision)],
    response: Response,
) -> BudgetOut:
    """The caps are as given, below or above what the plan includes; they hold within seconds."""
    caps = Caps(nano_of(body.cap_eur), nano_of(body.day_cap_eur))
    async with container.database.uow(caller.tenant) as tx:
        found = await container.model_access.set_caps(tx, caller.tenant, caps, caller.actor, expected=expected)
    response.headers["ETag"] = etag(found.revision)
    return BudgetOut(**budget_fields(found))


def budget_fields(found: TenantBudget) -> dict[str, object]:
    """What BudgetOut shows."""
    return {
        "plan": period_out(found.plan),
        "day": None if found.day is None else period_out(found.day),
        "unpriced_calls": found.unpriced,
        "alert_steps_pct": list(ALERTS_PCT),
    }


def period_out(one: Standing) -> PeriodOut:
    """Where one budget stands."""
    return PeriodOut(
        period=one.period,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        included_eur=eur_of(one.included_nano),
        cap_eur=eur_of(one.cap_nano),
        own_cap_eur=eur_of(one.own_cap_nano),
        highest_cap_eur=eur_of(one.highest_cap_nano),
        spent_eur=decimal_of_nano(one.spent_nano),
        held_eur=decimal_of_nano(one.held_nano),
        percent=one.percent,
        alerted_pct=one.told_pct,
    )
