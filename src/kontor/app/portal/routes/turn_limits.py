"""How many turns with the assistant a member or a key may have: read and set by owners and admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from kontor.app.api.ids import ApiKeyIdText, MembershipIdText
from kontor.app.api.schemas import Body
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.portal.frame import ADMINS, EMPTY, Form
from kontor.app.portal.routes.page import Look, LookDep, Member, again, read_form, sent, to, whole
from kontor.app.portal.views import company
from kontor.core.errors import DomainError, NotFound
from kontor.core.ids import PREFIXES, ApiKeyId, MembershipId, encode
from kontor.tenants.people import api_keys, members
from kontor.tenants.people.model import Role
from kontor.tenants.talk.turn_limits.edit import (
    MOST,
    Limits,
    TurnsView,
    limit_key,
    limit_member,
    turns_of_key,
    turns_of_member,
)

router = APIRouter(include_in_schema=False, route_class=IdempotentRoute)
MemberPath = Annotated[MembershipIdText, Path()]
KeyPath = Annotated[ApiKeyIdText, Path()]


class TurnsForm(Body):
    """The limits; nothing typed: none."""

    per_day: Annotated[int, Field(ge=0, le=MOST)] | None
    per_month: Annotated[int, Field(ge=0, le=MOST)] | None


@router.get("/members/{membership_id}/turns")
async def turns_of_a_member(membership_id: MemberPath, look: LookDep) -> Response:
    """What the member has asked, and may."""
    return await look.show(await _of_member(look, look.member(*ADMINS), membership_id), "members")


@router.post("/members/{membership_id}/turns")
async def limit_a_member(membership_id: MemberPath, request: Request, look: LookDep) -> Response:
    """The limits hold for the member's next message."""
    member, values = look.member(*ADMINS), await sent(request)
    form = _read(values, look)
    if isinstance(form, Form):
        return await look.show(await _of_member(look, member, membership_id, form), "members", status=422)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            await limit_member(
                tx,
                member.tenant,
                membership_id,
                Limits(form.per_day, form.per_month),
                by_role=member.role,
                by=member.actor,
                expected=whole(values.get("revision", "")),
            )
    except DomainError as error:
        page = await _of_member(look, member, membership_id, again(values, error, look.lang))
        return await look.show(page, "members", status=409)
    return to("/members")


@router.get("/keys/{key_id}/turns")
async def turns_of_a_key(key_id: KeyPath, look: LookDep) -> Response:
    """What programs have asked with the key, and may."""
    return await look.show(await _of_key(look, look.member(*ADMINS), key_id), "keys")


@router.post("/keys/{key_id}/turns")
async def limit_a_key(key_id: KeyPath, request: Request, look: LookDep) -> Response:
    """The limits hold for the next message with the key."""
    member, values = look.member(*ADMINS), await sent(request)
    form = _read(values, look)
    if isinstance(form, Form):
        return await look.show(await _of_key(look, member, key_id, form), "keys", status=422)
    limits = Limits(form.per_day, form.per_month)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            expected = whole(values.get("revision", ""))
            await limit_key(tx, member.tenant, key_id, limits, by=member.actor, expected=expected)
    except DomainError as error:
        page = await _of_key(look, member, key_id, again(values, error, look.lang))
        return await look.show(page, "keys", status=409)
    return to("/keys")


def counted(found: TurnsView) -> company.Turns:
    """As the pages show it."""
    return company.Turns(found.today, found.limits.per_day, found.this_month, found.limits.per_month)


def _read(values: dict[str, str], look: Look) -> TurnsForm | Form:
    typed = {name: values.get(name, "").strip() or None for name in ("per_day", "per_month")}
    form = read_form(TurnsForm, typed, look.lang)
    return Form(values, form.errors, form.problem) if isinstance(form, Form) else form


async def _of_member(look: Look, member: Member, membership: MembershipId, form: Form = EMPTY) -> company.TurnLimits:
    async with look.container.database.uow(member.tenant) as tx:
        found = await turns_of_member(tx, member.tenant, membership)
        people = await members.list_members(tx, member.tenant)
    one = next((who for who in people if who.id == membership), None)
    if one is None:
        raise NotFound
    may_edit = one.role is not Role.OWNER or member.role is Role.OWNER
    path = f"/members/{encode(PREFIXES['membership'], membership)}/turns"
    return company.TurnLimits(one.email, "member", path, counted(found), found.revision, may_edit, form)


async def _of_key(look: Look, member: Member, key: ApiKeyId, form: Form = EMPTY) -> company.TurnLimits:
    async with look.container.database.uow(member.tenant) as tx:
        found = await turns_of_key(tx, member.tenant, key)
        name = (await api_keys.show(tx, member.tenant, key)).name
    path = f"/keys/{api_keys.key_text(key)}/turns"
    return company.TurnLimits(name, "key", path, counted(found), found.revision, may_edit=True, form=form)
