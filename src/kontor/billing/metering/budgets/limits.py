"""Setting what may be spent: by the plan, by the tenant, for a key of its own; and forgetting it.

A budget that begins in the middle of a period counts what was spent in it before: the recorder and this module both
write `spent_nano` under the lock of the period's row, so that no event is missed or counted twice.
"""

from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from kontor.billing.metering.budgets.model import Budget, BudgetLease, BudgetPeriod, RateLimit, RateWindow
from kontor.billing.metering.budgets.periods import Period, as_period, span_of
from kontor.billing.plans import PriceList
from kontor.core.clock import day_of
from kontor.core.db import Tx
from kontor.core.ids import GatewayKeyId, TenantId, new_id
from kontor.core.money import NANO

_CENT_NANO: Final = NANO // 100

_LOCK: Final = text("""
INSERT INTO budget_periods (tenant_id, budget_id, begins) VALUES (:tenant, :budget, :begins)
ON CONFLICT (tenant_id, budget_id, begins) DO UPDATE SET spent_nano = budget_periods.spent_nano
""")
_RECOUNT: Final = text("""
UPDATE budget_periods SET spent_nano = (
  SELECT coalesce(sum(e.cost_nano), 0) FROM usage_events e
  WHERE e.tenant_id = :tenant AND (CAST(:key AS uuid) IS NULL OR e.key_id = :key)
    AND (e.at AT TIME ZONE 'Europe/Berlin')::date >= :begins
    AND (CAST(:ends_at AS timestamptz) IS NULL OR e.at < :ends_at)
) WHERE tenant_id = :tenant AND budget_id = :budget AND begins = :begins
""")


async def set_plan_budget(
    tx: Tx, tenant: TenantId, prices: PriceList, plan: str, seats: int, *, is_pilot: bool
) -> None:
    """The tenant may use what its plan includes; a pilot's is a cap for all of its time. For a system unit of work.

    A second call changes the amounts and nothing else.
    """
    if is_pilot:
        nano = prices.pilot.cap_cents * _CENT_NANO
        await set_budget(tx, tenant, "total", allowance_nano=nano, cap_nano=nano)
        return
    await set_budget(tx, tenant, "month", allowance_nano=prices.plans[plan].ai_budget_cents * seats * _CENT_NANO)
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
    """The tenant, or one of its keys, has this budget from now on. For a system unit of work."""
    values = {"allowance_nano": allowance_nano, "cap_nano": cap_nano}
    row = insert(Budget).values(
        tenant_id=tenant, id=new_id(), key_id=key, period=period, since=day_of(tx.now), **values
    )
    await tx.execute(row.on_conflict_do_update(index_elements=["tenant_id", "key_id", "period"], set_=values))
    found = select(Budget).where(
        Budget.tenant_id == tenant, Budget.key_id.is_not_distinct_from(key), Budget.period == period
    )
    await _recount(tx, (await tx.scalars(found)).one())


async def recount(tx: Tx, tenant: TenantId) -> None:
    """What was spent in the present periods is what their events cost now, after prices have changed."""
    for budget in await tx.scalars(select(Budget).where(Budget.tenant_id == tenant).order_by(Budget.id)):
        await _recount(tx, budget)


async def forget_budgets(tx: Tx, tenant: TenantId) -> None:
    """Nothing is left of the tenant's budgets and rates."""
    for table in (BudgetLease, BudgetPeriod, Budget, RateLimit, RateWindow):
        await tx.execute(delete(table).where(table.tenant_id == tenant))


async def _recount(tx: Tx, budget: Budget) -> None:
    span = span_of(as_period(budget.period), budget.since, tx.now)
    row = {"tenant": budget.tenant_id, "budget": budget.id, "begins": span.begins}
    await tx.execute(_LOCK, row)
    await tx.execute(_RECOUNT, row | {"key": budget.key_id, "ends_at": span.ends_at})
