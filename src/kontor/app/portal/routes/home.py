"""Where a person goes on: the company, its overview, another company."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from kontor.app.portal.frame import ADMINS
from kontor.app.portal.routes.page import Look, LookDep, Member, sent, to
from kontor.app.portal.views.assistant import Home, NextStep
from kontor.billing.queries import total, usage_of_month
from kontor.core.clock import month_of
from kontor.core.errors import NotFound
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, InvalidId, TenantId, decode
from kontor.tenants.lifecycle.assistant import read_assistant
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.lifecycle.view import AssistantView, assistant_view
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.people import api_keys, members, sessions
from kontor.tenants.sla.queries import month_of_service
from kontor.tenants.talk import inbox
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.model import Channel

router = APIRouter(include_in_schema=False)


@router.get("/home")
async def home(look: LookDep) -> Response:
    """The overview; before there is anything to see, the next step on the way there."""
    login = look.require_login()
    if login.tenant is None and login.operator_role is not None:
        return to("/ops/tenants")
    member = look.member()
    async with look.container.database.uow(member.tenant) as tx:
        tenant = await tenant_of(tx, member.tenant)
        view = await assistant_view(tx, member.tenant)
    if tenant.state == TenantState.ONBOARDING:
        return to("/onboarding/contracts")
    if view.ready_at is None or view.phase is None:
        return to("/onboarding/progress")
    return await look.show(await _overview(look, member, tenant, view), "home")


@router.post("/tenant")
async def switch(request: Request, look: LookDep) -> Response:
    """The session acts in another company of the person's."""
    login = look.require_login()
    try:
        wanted = TenantId(decode(PREFIXES["tenant"], (await sent(request)).get("tenant", "")))
    except InvalidId as error:
        raise NotFound from error
    async with look.container.database.system_uow() as tx:
        await sessions.switch(tx, login.session, login.person, wanted)
    return to("/home")


async def _overview(look: Look, member: Member, tenant: Tenant, view: AssistantView) -> Home:
    month = month_of(look.container.clock.now())
    async with look.container.database.uow(member.tenant) as tx:
        settings = await read_assistant(tx, member.tenant)
        used = total(await usage_of_month(tx, member.tenant, month))
        budget = await look.container.model_access.budget(tx, member.tenant)
        served = await month_of_service(tx, member.tenant, month, look.container.provider_outages)
        people = await members.list_members(tx, member.tenant)
        waiting = await inbox.count_waiting(tx, member.tenant) if member.role in ADMINS else 0
        own = Origin(Channel.PORTAL, member.person)
        has_asked = await inbox.list_conversations(tx, member.tenant, of=own, state=None, after=None, limit=1)
        has_key = await api_keys.list_all(tx, member.tenant, after=None, limit=1)
    plan = look.container.prices.plans[tenant.plan]
    steps = (
        NextStep(
            Text(de="Die erste Frage stellen", en="Ask the first question"),
            Text(de="Im Chat antwortet Ihr Assistent sofort.", en="In the chat your assistant answers at once."),
            "/chat",
            bool(has_asked),
        ),
        *(_steps_of_admins(settings.revision > 1, len(people) > 1, bool(has_key)) if member.role in ADMINS else ()),
    )
    return Home(
        assistant=settings.display_name,
        phase=view.phase.value if view.phase else "provisioning",
        plan=plan.name,
        is_pilot=tenant.is_pilot,
        month=month,
        budget=budget.plan,
        answers=used.calls,
        availability_pct=served.measured.availability_pct,
        target_pct=plan.availability_pct,
        seats=tenant.seats,
        members=len(people),
        waiting=waiting,
        steps=steps,
        problem=view.failure(look.lang) if view.failure else None,
    )


def _steps_of_admins(has_edited: bool, has_team: bool, has_key: bool) -> tuple[NextStep, ...]:  # noqa: FBT001 - three facts
    return (
        NextStep(
            Text(de="Dem Assistenten sagen, was er wissen muss", en="Tell the assistant what it must know"),
            Text(de="Öffnungszeiten, Ton, häufige Fragen.", en="Opening hours, tone, frequent questions."),
            "/assistant",
            has_edited,
        ),
        NextStep(
            Text(de="Kolleginnen und Kollegen einladen", en="Invite colleagues"),
            Text(de="Jede Person bekommt eine Rolle.", en="Each person gets a role."),
            "/members",
            has_team,
        ),
        NextStep(
            Text(de="Website oder Programm verbinden", en="Connect a website or program"),
            Text(de="Mit einem API-Schlüssel, im OpenAI-Format.", en="With an API key, in OpenAI's format."),
            "/keys",
            has_key,
        ),
    )
