"""Keys with which the company's own programs call models, past the assistant."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from kontor.app.api.euros import CapEur, nano_of
from kontor.app.api.ids import GatewayKeyIdText
from kontor.app.api.schemas import Body
from kontor.app.api.texts import Line
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.portal.frame import ADMINS, EMPTY, Form
from kontor.app.portal.routes.amounts import typed_eur
from kontor.app.portal.routes.page import Look, LookDep, Member, again, read_form, sent, to
from kontor.app.portal.views import company
from kontor.billing.metering import direct_keys
from kontor.billing.metering.budgets.limits import Caps
from kontor.billing.metering.direct_keys import DirectKey, NewKey, key_text
from kontor.core.clock import day_of, day_start
from kontor.core.errors import DomainError
from kontor.core.ids import GatewayKeyId

router = APIRouter(include_in_schema=False, route_class=IdempotentRoute)
LATEST: Final = date(2999, 12, 31)
DAY: Final = timedelta(days=1)
SECTION: Final = "gateway_keys"


class GatewayKeyForm(Body):
    """A key for a program; the day is the last one on which it works."""

    name: Line
    expires_on: Annotated[date, Field(le=LATEST)] | None
    month_cap_eur: CapEur | None
    day_cap_eur: CapEur | None


@router.get("/gateway-keys")
async def gateway_keys(look: LookDep, page: Annotated[PageQuery, Depends(page_query)]) -> Response:
    """The keys, the newest first, and how they are used."""
    return await look.show(await _keys(look, look.member(*ADMINS), page), SECTION)


@router.post("/gateway-keys")
async def create(request: Request, look: LookDep, page: Annotated[PageQuery, Depends(page_query)]) -> Response:
    """A new key, whose secret is on this page and nowhere else. Sending the form again shows the same one."""
    member = look.member(*ADMINS)
    values = await sent(request)
    fields = {
        "name": values.get("name", ""),
        "expires_on": values.get("expires_on") or None,
        "month_cap_eur": typed_eur(values.get("month_cap_eur", "")),
        "day_cap_eur": typed_eur(values.get("day_cap_eur", "")),
    }
    form = read_form(GatewayKeyForm, fields, look.lang)
    if isinstance(form, Form):
        typed = Form(values, form.errors, form.problem)
        return await look.show(await _keys(look, member, page, typed), SECTION, status=422)
    ends_at = day_start(form.expires_on + DAY).astimezone(UTC) if form.expires_on else None
    wanted = NewKey(form.name, ends_at, Caps(nano_of(form.month_cap_eur), nano_of(form.day_cap_eur)))
    try:
        async with look.container.database.uow(member.tenant) as tx:
            _, secret = await look.container.model_access.create_key(tx, member.tenant, wanted, member.actor)
    except DomainError as error:
        return await look.show(await _keys(look, member, page, again(values, error, look.lang)), SECTION, status=409)
    return await look.show(await _keys(look, member, page, secret=secret), SECTION)


@router.post("/gateway-keys/{key_id}/revoke")
async def revoke(key_id: Annotated[GatewayKeyIdText, Path()], look: LookDep) -> Response:
    """The key opens nothing any more, within a second."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await direct_keys.revoke(tx, member.tenant, key_id, member.actor)
    return to("/gateway-keys")


async def _keys(
    look: Look, member: Member, page: PageQuery, form: Form = EMPTY, *, secret: str | None = None
) -> company.GatewayKeys:
    container = look.container
    after = GatewayKeyId(page.after) if page.after else None
    async with container.database.uow(member.tenant) as tx:
        models = await container.model_access.models(tx, member.tenant)
        found = await direct_keys.list_all(tx, member.tenant, after=after, limit=page.limit)
    shown, has_more = cut(found, page.limit)
    now = container.clock.now()
    return company.GatewayKeys(
        tuple(_row(one, now) for one in shown),
        container.settings.models_url,
        models,
        secret,
        form,
        encode_cursor(shown[-1].id) if has_more else None,
    )


def _row(one: DirectKey, now: datetime) -> company.GatewayKeyRow:
    ends_at = one.expires_at
    return company.GatewayKeyRow(
        id=key_text(one.id),
        name=one.name,
        hint=one.hint,
        created_at=one.created_at,
        last_used_at=one.last_used_at,
        last_day=day_of(ends_at - timedelta(seconds=1)) if ends_at else None,
        has_expired=ends_at is not None and ends_at <= now,
        revoked_at=one.revoked_at,
        month=one.month,
        day=one.day,
    )
