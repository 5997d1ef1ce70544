"""Telling tenants how much of a period's budget is used up, once for each share.

A schedule looks at the budgets that have spent since; which share was told stands in the row that is locked while the
event is published, so that two workers tell it once. Budgets of single keys are told to nobody; of a day's cap only
its end is told.
"""

from typing import Final

from sqlalchemy import and_, select

from kontor.billing.events import AllowanceReached
from kontor.billing.metering.budgets.limits import whole_of_budget
from kontor.billing.metering.budgets.model import Budget, BudgetPeriod
from kontor.billing.metering.budgets.periods import ALERTS_PCT, as_period, due_alert, span_of
from kontor.core.db import Database
from kontor.core.events import publish
from kontor.core.ids import TenantId

SCHEDULE: Final = "budgets.alerts"
EVERY_MINUTE: Final = "* * * * *"

_OF_BUDGET: Final = and_(BudgetPeriod.tenant_id == Budget.tenant_id, BudgetPeriod.budget_id == Budget.id)


async def tell_due(database: Database) -> int:
    """Every share that was reached is an event; how many. A second call tells nothing anew."""
    told = 0
    async with database.system_uow() as tx:
        found = await tx.execute(
            select(Budget, BudgetPeriod)
            .join(BudgetPeriod, _OF_BUDGET)
            .where(Budget.key_id.is_(None), BudgetPeriod.spent_nano > 0, BudgetPeriod.told_pct < max(ALERTS_PCT))
            .order_by(Budget.tenant_id, Budget.id, BudgetPeriod.begins)
            .with_for_update(of=BudgetPeriod, skip_locked=True)
        )
        for budget, period in found.all():
            kind = as_period(budget.period)
            if period.begins != span_of(kind, budget.since, tx.now).begins:
                continue
            whole = whole_of_budget(budget, period.begins)
            percent = None if whole is None else due_alert(period.spent_nano, whole, period.told_pct)
            if percent is None or (kind == "day" and percent < max(ALERTS_PCT)):
                continue
            period.told_pct = percent
            is_cap = budget.cap_nano is not None and budget.cap_nano == whole
            await publish(tx, AllowanceReached(TenantId(budget.tenant_id), percent, kind, is_cap))
            told += 1
    return told
