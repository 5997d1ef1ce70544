"""Working with the assistant: the member's own chat, and what was used."""

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from kontor.app.portal.routes.page import LookDep, sent, to
from kontor.app.portal.views import assistant, numbers
from kontor.billing.queries import usage_of_month
from kontor.core.clock import Month, day_of, month_of
from kontor.core.ids import PREFIXES, encode
from kontor.core.money import Money
from kontor.tenants.lifecycle.assistant import read_assistant
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.lifecycle.view import assistant_view
from kontor.tenants.talk import inbox
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.disclosure import disclosure
from kontor.tenants.talk.model import Channel, InCharge, Outcome

router = APIRouter(include_in_schema=False)
SHOWN: Final = 200
MONTHS: Final = 12


@router.get("/chat")
async def chat(look: LookDep, new: str = "") -> Response:
    """The member's own conversation, the one that was active last."""
    login = look.require_login()
    if login.tenant is None:
        return to("/home")
    origin = Origin(Channel.PORTAL, login.person)
    async with look.container.database.uow(login.tenant) as tx:
        row = await tenant_of(tx, login.tenant)
        view = await assistant_view(tx, login.tenant)
        if view.ready_at is None or view.phase is None:
            return to("/home")
        settings = await read_assistant(tx, login.tenant)
        profile = await profile_of(tx.vault, row)
        recent = await inbox.list_conversations(tx, login.tenant, of=origin, state=None, after=None, limit=1)
        current = recent[0] if recent and not new else None
        said = await inbox.messages(tx, login.tenant, current.id, of=origin, after=None, limit=SHOWN) if current else []
    seller = look.container.sellers.of(row.seller)
    where = f"{profile.street}, {profile.postcode} {profile.city}"
    page = assistant.ChatPage(
        assistant=settings.display_name,
        phase=view.phase.value,
        conversation=encode(PREFIXES["conversation"], current.id) if current else None,
        said=tuple(
            assistant.Said(one.role.value, one.content, one.at, is_cut=one.outcome is Outcome.CUT) for one in said
        ),
        disclosure=disclosure(profile.legal_name, seller.legal_name)(look.lang),
        imprints=assistant.Imprints(profile.legal_name, where, seller.legal_name),
        is_with_human=current is not None and current.state is InCharge.HUMAN,
    )
    return await look.show(page, "chat")


@router.post("/chat/new")
async def new_chat(request: Request, look: LookDep) -> Response:
    """An empty conversation; it begins with the first message."""
    look.require_login()
    await sent(request)
    return to("/chat?new=1")


@router.get("/usage")
async def usage(look: LookDep, month: str = "") -> Response:
    """A month's usage by day and model."""
    login = look.require_login()
    if login.tenant is None:
        return to("/home")
    now = look.container.clock.now()
    try:
        chosen = Month.parse(month) if month else month_of(now)
    except ValueError:
        chosen = month_of(now)
    async with look.container.database.uow(login.tenant) as tx:
        tenant = await tenant_of(tx, login.tenant)
        found = await usage_of_month(tx, login.tenant, chosen)
    rows = tuple(
        numbers.UsageRow(
            one.day,
            one.model,
            one.used.calls,
            one.used.input_tokens,
            one.used.cached_tokens,
            one.used.output_tokens,
            one.used.cost_nano,
        )
        for one in found
    )
    first, last = day_of(chosen.start), day_of(chosen.end - timedelta(seconds=1))
    days = tuple(first + timedelta(days=place) for place in range((last - first).days + 1))
    months = [month_of(now)]
    while len(months) < MONTHS:
        months.append(months[-1].previous())
    prices = look.container.prices
    cents = prices.pilot.cap_cents if tenant.is_pilot else prices.plans[tenant.plan].ai_budget_cents * tenant.seats
    page = numbers.UsagePage(
        chosen, tuple(months), rows, numbers.usage_chart(rows, days), Money(cents), is_capped=tenant.is_pilot
    )
    return await look.show(page, "usage")
