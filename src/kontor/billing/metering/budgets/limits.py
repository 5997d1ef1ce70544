"""Setting what may be spent: by the plan, by the operator, by the tenant, for a key of its own; and forgetting it.

A budget that begins in the middle of a period counts what was spent in it before: the recorder and this module both
write `spent_nano` under the lock of the period's row, so that no event is missed or counted twice. A cap that is
lowered holds as soon as the gateways have looked at it again (purses.FRESH_S).
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from kontor.billing.errors import CapTooHigh, ChangedMeanwhile
from kontor.billing.metering.budgets.model import Budget, BudgetLease, BudgetPeriod, RateLimit, RateWindow
from kontor.billing.metering.budgets.periods import (
    Period,
    as_period,
    effective_cap,
    highest_cap,
    included_nano,
    reached_pct,
    span_of,
    whole_of,
)
from kontor.billing.plans import PriceList
from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.clock import day_of, day_start
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, GatewayKeyId, TenantId, encode, new_id
from kontor.core.money import NANO, decimal_of_nano

_CENT_NANO: Final = NANO // 100

_LOCK: Final = text("""
INSERT INTO budget_periods (tenant_id, budget_id, begins) VALUES (:tenant, :budget, :begins)
ON CONFLICT (tenant_id, budget_id, begins) DO UPDATE SET spent_nano = budget_periods.spent_nano
""")
_RECOUNT: Final = text("""
UPDATE budget_periods SET spent_nano = (
  SELECT coalesce(sum(e.cost_nano), 0) FROM usage_events e
  WHERE e.tenant_id = :tenant AND (CAST(:key AS uuid) IS NULL OR e.key_id = :key) AND e.at >= :starts_at
    AND e.day >= (:starts_at AT TIME ZONE 'UTC')::date
    AND (CAST(:ends_at AS timestamptz) IS NULL OR e.at < :ends_at)
) WHERE tenant_id = :tenant AND budget_id = :budget AND begins = :begins
""")


@dataclass(frozen=True, slots=True)
class Caps:
    """Where calls are refused, in nano-EUR: in a month (a pilot: in all), and on a day; None: nowhere."""

    month_nano: int | None
    day_nano: int | None


def plan_budget(prices: PriceList, plan: str, seats: int, *, is_pilot: bool) -> tuple[Period, int]:
    """What a plan includes, in nano-EUR, and for how long; a pilot's is a cap. Source: product page, "Plans"."""
    if is_pilot:
        return "total", prices.pilot.cap_cents * _CENT_NANO
    return "month", prices.plans[plan].ai_budget_cents * seats * _CENT_NANO


async def set_plan_budget(
    tx: Tx, tenant: TenantId, prices: PriceList, plan: str, seats: int, *, is_pilot: bool
) -> None:
    """The tenant may use what its plan includes; a pilot's is a cap for all of its time.

    A second call changes the amounts and nothing else; caps that the tenant or the operator has set stay.
    """
    period, nano = plan_budget(prices, plan, seats, is_pilot=is_pilot)
    budget = await _budget(tx, tenant, period)
    budget.allowance_nano = nano
    await _apply(tx, budget)
    if not is_pilot:
        await tx.execute(
            delete(Budget).where(Budget.tenant_id == tenant, Budget.key_id.is_(None), Budget.period == "total")
        )


async def set_budget(
    tx: Tx,
    tenant: TenantId,
    period: Period,
    *,
    allowance_nano: int | None = None,
    cap_nano: int | None = None,
    key: GatewayKeyId | None = None,
) -> None:
    """The tenant, or one of its keys, has this budget from now on."""
    budget = await _budget(tx, tenant, period, key)
    budget.allowance_nano, budget.own_cap_nano = allowance_nano, cap_nano
    await _apply(tx, budget)


async def set_own_caps(tx: Tx, tenant: TenantId, caps: Caps, by: Actor, *, expected: int) -> None:
    """The tenant's own caps are these. They may lie above what its plan includes, and never above what it allows.

    Nothing new changes nothing. Raises NotFound (no budget of a plan), ChangedMeanwhile when the stored revision is
    not `expected`, CapTooHigh.
    """
    plan = await _plan_budget(tx, tenant)
    if plan.revision != expected:
        raise ChangedMeanwhile(plan.revision)
    day = await _find(tx, tenant, "day")
    if (plan.own_cap_nano, day.own_cap_nano if day else None) == (caps.month_nano, caps.day_nano):
        return
    highest = highest_cap(as_period(plan.period), plan.allowance_nano, plan.operator_cap_nano)
    for nano in (caps.month_nano, caps.day_nano):
        if highest is not None and nano is not None and nano > highest:
            raise CapTooHigh(highest)
    plan.own_cap_nano = caps.month_nano
    await _apply(tx, plan)
    if day is None and caps.day_nano is not None:
        day = await _budget(tx, tenant, "day")
    if day is not None:
        day.own_cap_nano = caps.day_nano
        await _apply(tx, day)
    plan.revision += 1
    data = {"month_eur": _eur(caps.month_nano), "day_eur": _eur(caps.day_nano), "revision": plan.revision}
    await audit.record(tx, by, "budget.caps_set", target=_target(tenant), tenant=tenant, data=data)


async def set_operator_cap(tx: Tx, tenant: TenantId, nano: int | None, by: Actor) -> None:
    """The operator lets the tenant spend at most this in a month (a pilot: in all); None: what its plan allows.

    Takes the place of a pilot's own cap. A tenant's cap that is lower stays. Nothing new changes nothing. Raises
    NotFound (no budget of a plan).
    """
    plan = await _plan_budget(tx, tenant)
    if plan.operator_cap_nano == nano:
        return
    plan.operator_cap_nano = nano
    await _apply(tx, plan)
    plan.revision += 1
    data = {"eur": _eur(nano), "revision": plan.revision}
    await audit.record(tx, by, "budget.operator_cap_set", target=_target(tenant), tenant=tenant, data=data)


async def has_plan_budget(tx: Tx, tenant: TenantId) -> bool:
    """Whether the tenant has the budget of a plan."""
    found = await _find(tx, tenant, "total", lock=False) or await _find(tx, tenant, "month", lock=False)
    return found is not None


async def recount(tx: Tx, tenant: TenantId) -> None:
    """What was spent in the present periods is what their events cost now, after prices have changed."""
    for budget in await tx.scalars(select(Budget).where(Budget.tenant_id == tenant).order_by(Budget.id)):
        await _recount(tx, budget)


async def forget_budgets(tx: Tx, tenant: TenantId) -> None:
    """Nothing is left of the tenant's budgets and rates."""
    for table in (BudgetLease, BudgetPeriod, Budget, RateLimit, RateWindow):
        await tx.execute(delete(table).where(table.tenant_id == tenant))


def whole_of_budget(budget: Budget, begins: date) -> int | None:
    """What shares of the period that begins on that day are shares of, in nano-EUR; None: of nothing."""
    kind = as_period(budget.period)
    allowance = budget.allowance_nano
    included = None if allowance is None else included_nano(allowance, kind, budget.since, begins)
    return whole_of(kind, included, budget.cap_nano)


async def _budget(tx: Tx, tenant: TenantId, period: Period, key: GatewayKeyId | None = None) -> Budget:
    """The budget, locked; a new one has counted what was spent in its period before."""
    row = insert(Budget).values(
        tenant_id=tenant, id=new_id(), key_id=key, period=period, since=day_of(tx.now), revision=1
    )
    made = await tx.scalar(row.on_conflict_do_nothing().returning(Budget.id))
    found = await _find(tx, tenant, period, key)
    assert found is not None  # noqa: S101 - written a line above
    if made is not None:
        await _recount(tx, found)
    return found


async def _find(
    tx: Tx, tenant: TenantId, period: Period, key: GatewayKeyId | None = None, *, lock: bool = True
) -> Budget | None:
    query = select(Budget).where(
        Budget.tenant_id == tenant, Budget.key_id.is_not_distinct_from(key), Budget.period == period
    )
    return await tx.scalar(
        query.with_for_update(key_share=True).execution_options(populate_existing=True) if lock else query
    )


async def _plan_budget(tx: Tx, tenant: TenantId) -> Budget:
    found = await _find(tx, tenant, "total") or await _find(tx, tenant, "month")
    if found is None:
        raise NotFound
    return found


async def _apply(tx: Tx, budget: Budget) -> None:
    """The cap is what follows from all that was said, and shares that are not reached of it any more are told anew."""
    kind = as_period(budget.period)
    budget.cap_nano = effective_cap(kind, budget.allowance_nano, budget.operator_cap_nano, budget.own_cap_nano)
    begins = span_of(kind, budget.since, tx.now).begins
    whole = whole_of_budget(budget, begins)
    period = await tx.scalar(
        select(BudgetPeriod)
        .where(
            BudgetPeriod.tenant_id == budget.tenant_id,
            BudgetPeriod.budget_id == budget.id,
            BudgetPeriod.begins == begins,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if period is not None:
        period.told_pct = min(period.told_pct, reached_pct(period.spent_nano, whole or 0))
    await tx.flush()


async def _recount(tx: Tx, budget: Budget) -> None:
    span = span_of(as_period(budget.period), budget.since, tx.now)
    row = {"tenant": budget.tenant_id, "budget": budget.id, "begins": span.begins}
    await tx.execute(_LOCK, row)
    more = {"key": budget.key_id, "starts_at": day_start(span.begins), "ends_at": span.ends_at}
    await tx.execute(_RECOUNT, row | more)


def _eur(nano: int | None) -> str | None:
    return None if nano is None else f"{decimal_of_nano(nano, 2):f}"


def _target(tenant: TenantId) -> str:
    return encode(PREFIXES["tenant"], tenant)
