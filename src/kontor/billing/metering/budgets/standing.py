"""Where a tenant's budgets and those of its keys stand now: what is included, capped, spent and held.

Reads only. Gateways hold what they have drawn and not spent yet (purses); it is free again within seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from sqlalchemy import func, or_, select

from kontor.billing.metering.budgets.model import Budget, BudgetLease, BudgetPeriod
from kontor.billing.metering.budgets.periods import (
    Period,
    as_period,
    effective_cap,
    highest_cap,
    included_nano,
    span_of,
    whole_of,
)
from kontor.billing.metering.model import UsageHour
from kontor.core.clock import day_of, day_start
from kontor.core.db import Tx
from kontor.core.ids import GatewayKeyId, TenantId


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget in its present period; amounts in nano-EUR.

    `starts_at` is midnight in Berlin, `ends_at` None for a pilot's. `cap_nano` is where calls are refused,
    `own_cap_nano` what the tenant chose, `highest_cap_nano` what plan or operator allow it to choose (None: anything).
    `held_nano` lies with gateways. `told_pct` is the highest share that was told by mail.
    """

    period: Period
    begins: date
    starts_at: datetime
    ends_at: datetime | None
    included_nano: int | None
    cap_nano: int | None
    own_cap_nano: int | None
    highest_cap_nano: int | None
    operator_cap_nano: int | None
    spent_nano: int = 0
    held_nano: int = 0
    told_pct: int = 0

    @property
    def whole_nano(self) -> int | None:
        """What shares are shares of; None where nothing bounds it."""
        return whole_of(self.period, self.included_nano, self.cap_nano)

    @property
    def percent(self) -> Decimal | None:
        """How much of it is used up, one decimal, rounded down: 100 is never said too early. None: of nothing."""
        whole = self.whole_nano
        if whole is None:
            return None
        if whole == 0:
            return Decimal("100.0") if self.cap_nano == 0 else None
        return (Decimal(self.spent_nano) * 100 / whole).quantize(Decimal("0.1"), ROUND_DOWN)

    @property
    def last_day(self) -> date | None:
        """The Berlin day on which it ends; None: it does not."""
        return None if self.ends_at is None else day_of(self.ends_at - timedelta(seconds=1))

    @property
    def is_used_up(self) -> bool:
        """Whether calls are refused by the cap."""
        return self.cap_nano is not None and self.spent_nano >= self.cap_nano


@dataclass(frozen=True, slots=True)
class TenantBudget:
    """A tenant's budgets: that of its plan, by month or for a pilot, and a cap a day if it has set one.

    `unpriced` calls of the plan's period have no price yet, so they are in no sum.
    """

    revision: int
    plan: Standing
    day: Standing | None
    unpriced: int


async def tenant_budget(tx: Tx, tenant: TenantId) -> TenantBudget | None:
    """The tenant's own; None before its plan's budget was set."""
    found = (await standings(tx, tenant, [None]))[None]
    plan = found.get("total") or found.get("month")
    if plan is None:
        return None
    revision = await tx.scalar(
        select(Budget.revision).where(Budget.tenant_id == tenant, Budget.key_id.is_(None), Budget.period == plan.period)
    )
    hours = select(func.coalesce(func.sum(UsageHour.unpriced_events), 0)).where(
        UsageHour.tenant_id == tenant, UsageHour.hour >= plan.starts_at
    )
    if plan.ends_at is not None:
        hours = hours.where(UsageHour.hour < plan.ends_at)
    day = found.get("day")
    shown = day if day is not None and day.cap_nano is not None else None
    return TenantBudget(revision or 0, plan, shown, int(await tx.scalar(hours) or 0))


def planned(period: Period, allowance_nano: int, at: datetime) -> TenantBudget:
    """What the plan will include once the tenant can spend, for a tenant that cannot yet."""
    since = day_of(at)
    span = span_of(period, since, at)
    plan = Standing(
        period,
        span.begins,
        day_start(span.begins),
        span.ends_at,
        included_nano(allowance_nano, period, since, span.begins),
        effective_cap(period, allowance_nano, None, None),
        None,
        highest_cap(period, allowance_nano, None),
        None,
    )
    return TenantBudget(0, plan, None, 0)


async def standings(
    tx: Tx, tenant: TenantId, keys: Sequence[GatewayKeyId | None]
) -> dict[GatewayKeyId | None, dict[Period, Standing]]:
    """The budgets of these keys by period; None stands for the tenant's own."""
    named = Budget.key_id.in_([key for key in keys if key is not None])
    whose = or_(named, Budget.key_id.is_(None)) if None in keys else named
    budgets = (await tx.scalars(select(Budget).where(Budget.tenant_id == tenant, whose))).all()
    spans = {one.id: span_of(as_period(one.period), one.since, tx.now) for one in budgets}
    periods = {
        row.budget_id: row
        for row in await tx.scalars(
            select(BudgetPeriod).where(
                BudgetPeriod.tenant_id == tenant,
                BudgetPeriod.budget_id.in_(spans),
                BudgetPeriod.begins.in_({span.begins for span in spans.values()}),
            )
        )
        if row.begins == spans[row.budget_id].begins
    }
    held = await _held(tx, tenant, {id_: span.begins for id_, span in spans.items()})
    found: dict[GatewayKeyId | None, dict[Period, Standing]] = {key: {} for key in keys}
    for one in budgets:
        kind, span, row = as_period(one.period), spans[one.id], periods.get(one.id)
        allowance = one.allowance_nano
        key = None if one.key_id is None else GatewayKeyId(one.key_id)
        found[key][kind] = Standing(
            period=kind,
            begins=span.begins,
            starts_at=day_start(span.begins),
            ends_at=span.ends_at,
            included_nano=None if allowance is None else included_nano(allowance, kind, one.since, span.begins),
            cap_nano=one.cap_nano,
            own_cap_nano=one.own_cap_nano,
            highest_cap_nano=highest_cap(kind, allowance, one.operator_cap_nano),
            operator_cap_nano=one.operator_cap_nano,
            spent_nano=row.spent_nano if row else 0,
            held_nano=held.get(one.id, 0),
            told_pct=row.told_pct if row else 0,
        )
    return found


async def _held(tx: Tx, tenant: TenantId, begins: Mapping[UUID, date]) -> dict[UUID, int]:
    rows = await tx.execute(
        select(BudgetLease.budget_id, BudgetLease.begins, func.sum(BudgetLease.amount_nano))
        .where(
            BudgetLease.tenant_id == tenant,
            BudgetLease.budget_id.in_(begins),
            BudgetLease.expires_at > func.now(),
        )
        .group_by(BudgetLease.budget_id, BudgetLease.begins)
    )
    return {id_: int(nano) for id_, day, nano in rows if day == begins[id_]}
