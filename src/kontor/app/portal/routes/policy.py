"""What the acceptable-use policy refused, for the company's own members."""

from collections import Counter
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from kontor.app.portal.routes.numbers import MonthText, chosen_month, month_choices
from kontor.app.portal.routes.page import LookDep
from kontor.app.portal.views import policy
from kontor.billing.metering import hit_alerts
from kontor.billing.metering.hits import hits_by_day
from kontor.billing.metering.policy.meaning import meaning_of
from kontor.core.clock import day_of, month_of

router = APIRouter(include_in_schema=False)


@router.get("/policy")
async def refused(look: LookDep, month: MonthText = "") -> Response:
    """A month's refusals by category and by day."""
    member = look.member()
    present = month_of(look.container.clock.now())
    chosen = chosen_month(month, present)
    first, last = day_of(chosen.start), day_of(chosen.end - timedelta(seconds=1))
    async with look.container.database.uow(member.tenant) as tx:
        rows = await hits_by_day(tx, member.tenant, first, last)
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.category] += row.hits
    page = policy.PolicyPage(
        chosen,
        month_choices(present, chosen),
        tuple(
            policy.CategoryRow(meaning_of(category).name, meaning_of(category).what, hits)
            for category, hits in sums.most_common()
        ),
        tuple(policy.DayRow(row.day, meaning_of(row.category).name, row.hits) for row in reversed(rows)),
        look.container.settings.policy_alert_hits,
        hit_alerts.DAYS,
    )
    return await look.show(page, "policy")
