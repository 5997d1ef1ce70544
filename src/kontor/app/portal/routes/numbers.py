"""Numbers of a month: what was used, and how available the assistant was."""

from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from kontor.app.api.budget import CapsIn
from kontor.app.api.euros import nano_of
from kontor.app.api.usage import csv_response
from kontor.app.portal.frame import SPENDERS, Form, Notice
from kontor.app.portal.routes.amounts import shown_eur, typed_eur
from kontor.app.portal.routes.page import Look, LookDep, Member, again, read_form, sent, to, whole
from kontor.app.portal.views import numbers
from kontor.billing.metering.budgets.limits import Caps
from kontor.billing.metering.budgets.standing import TenantBudget
from kontor.billing.queries import usage_of_month
from kontor.core.clock import Month, day_of, month_of
from kontor.core.errors import DomainError
from kontor.core.i18n import Lang, Text
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.sla import causes
from kontor.tenants.sla.queries import DayView, OutageView, daily_strip, month_of_service

router = APIRouter(include_in_schema=False)
MONTHS: Final = 12
# A day with less downtime than this is drawn as briefly down.
BRIEF_S: Final = 15 * 60
_SAVED: Final = Text(de="Die Obergrenzen gelten in wenigen Sekunden.", en="The caps hold within seconds.")
MonthText = Annotated[str, Query(max_length=20)]


@router.get("/usage")
async def usage(look: LookDep, month: MonthText = "", saved: str = "") -> Response:
    """A month's usage by day and model; where the budget stands, for the present one."""
    notices = (Notice("good", _SAVED(look.lang)),) if saved else ()
    return await look.show(await _usage(look, look.member(), month), "usage", notices=notices)


@router.post("/usage/caps")
async def set_caps(request: Request, look: LookDep) -> Response:
    """The company's own caps are as typed; an empty field is none."""
    member = look.member(*SPENDERS)
    values = await sent(request)
    form = read_form(CapsIn, {name: typed_eur(values.get(name, "")) for name in CapsIn.model_fields}, look.lang)
    if isinstance(form, Form):
        page = await _usage(look, member, form=Form(values, form.errors, form.problem))
        return await look.show(page, "usage", status=422)
    caps = Caps(nano_of(form.cap_eur), nano_of(form.day_cap_eur))
    try:
        async with look.container.database.uow(member.tenant) as tx:
            expected = whole(values.get("revision", ""))
            await look.container.model_access.set_caps(tx, member.tenant, caps, member.actor, expected=expected)
    except DomainError as error:
        page = await _usage(look, member, form=again(values, error, look.lang))
        return await look.show(page, "usage", status=409)
    return to("/usage?saved=1")


@router.get("/usage.csv")
async def usage_csv(look: LookDep, month: MonthText = "") -> Response:
    """The same as a table to download."""
    member = look.member()
    chosen = chosen_month(month, month_of(look.container.clock.now()))
    async with look.container.database.uow(member.tenant) as tx:
        rows = await usage_of_month(tx, member.tenant, chosen)
    return csv_response(rows, f"usage-{chosen}.csv")


@router.get("/availability")
async def availability(look: LookDep, month: MonthText = "") -> Response:
    """A month's availability and each outage, and a bar for each of the last ninety days."""
    member = look.member()
    now = look.container.clock.now()
    present = month_of(now)
    chosen = chosen_month(month, present)
    async with look.container.database.uow(member.tenant) as tx:
        plan = (await tenant_of(tx, member.tenant)).plan
        found = await month_of_service(tx, member.tenant, chosen, look.container.provider_outages)
        strip = await daily_strip(tx, member.tenant, now, look.container.provider_outages)
    page = numbers.AvailabilityPage(
        chosen,
        month_choices(present, chosen),
        found.measured.availability_pct,
        look.container.prices.plans[plan].availability_pct,
        found.measured.in_service_s,
        found.measured.excluded_s,
        found.measured.down_s,
        found.measured.unobserved_s,
        tuple(map(_uptime, strip)),
        tuple(map(_outage, found.outages)),
        found.outages_total,
        found.measured.provider_down_s,
        tuple(numbers.ProvidersDown(one.start, one.end) for one in found.providers_down),
    )
    return await look.show(page, "availability")


async def _usage(look: Look, member: Member, month: str = "", form: Form | None = None) -> numbers.UsagePage:
    present = month_of(look.container.clock.now())
    chosen = chosen_month(month, present)
    async with look.container.database.uow(member.tenant) as tx:
        plan = (await tenant_of(tx, member.tenant)).plan
        found = await usage_of_month(tx, member.tenant, chosen)
        stands = await look.container.model_access.budget(tx, member.tenant)
    rows = tuple(
        numbers.UsageRow(
            one.day,
            one.model,
            one.used.calls,
            one.used.input_tokens,
            one.used.cached_tokens,
            one.used.output_tokens,
            one.used.cost_nano,
            one.used.unpriced,
        )
        for one in found
    )
    card = numbers.BudgetCard(
        stands,
        look.container.prices.plans[plan].overage_factor,
        member.role in SPENDERS,
        form or _caps_form(stands, look.lang),
    )
    chart = numbers.usage_chart(rows, _days(chosen))
    return numbers.UsagePage(chosen, month_choices(present, chosen), rows, chart, card if chosen == present else None)


def _caps_form(stands: TenantBudget, lang: Lang) -> Form:
    day = stands.day.own_cap_nano if stands.day else None
    return Form({"cap_eur": shown_eur(stands.plan.own_cap_nano, lang), "day_cap_eur": shown_eur(day, lang)})


def chosen_month(text: str, present: Month) -> Month:
    """The month that was asked for; the present one for none, for nonsense and for one to come."""
    try:
        return min(Month.parse(text), present) if text else present
    except ValueError:
        return present


def month_choices(present: Month, chosen: Month) -> tuple[Month, ...]:
    """The last year, the present month first, and the chosen one if it is older."""
    months = [present]
    while len(months) < MONTHS:
        months.append(months[-1].previous())
    return tuple(months) if chosen in months else (*months, chosen)


def _days(month: Month) -> tuple[date, ...]:
    first, last = day_of(month.start), day_of(month.end - timedelta(seconds=1))
    return tuple(first + timedelta(days=place) for place in range((last - first).days + 1))


def _uptime(one: DayView) -> numbers.DayUptime:
    seen = one.measured
    state: numbers.DayState = "up"
    if seen.in_service_s == 0:
        state = "before"
    elif seen.down_s:
        state = "degraded" if seen.down_s < BRIEF_S else "down"
    elif seen.availability_pct is None:
        state = "unobserved"
    return numbers.DayUptime(one.day, state, seen.availability_pct, seen.down_s, seen.unobserved_s)


def _outage(one: OutageView) -> numbers.OutageRow:
    until = one.ended_at or one.observed_until
    return numbers.OutageRow(
        one.started_at, one.ended_at, round((until - one.started_at).total_seconds()), causes.name_of(one.cause)
    )
