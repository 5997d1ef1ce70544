"""Who works in the company: members, invitations, and the keys of its programs."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from kontor.app.api.ids import ApiKeyIdText, InvitationIdText, MembershipIdText
from kontor.app.api.people import AcceptIn
from kontor.app.api.schemas import Body
from kontor.app.api.texts import Email, Line
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.login import device_of, set_session
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.portal.frame import ADMINS, EMPTY, Choice, Form
from kontor.app.portal.routes.page import Look, LookDep, Member, again, read_form, sent, to
from kontor.app.portal.routes.turn_limits import counted
from kontor.app.portal.views import company, public
from kontor.core.clock import day_start
from kontor.core.errors import DomainError
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, ApiKeyId, encode
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import api_keys, members, sessions
from kontor.tenants.people.model import Role
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.turn_limits.edit import NONE_YET, turns_of_all

router = APIRouter(include_in_schema=False, route_class=IdempotentRoute)
LATEST: Final = date(2999, 12, 31)

SCOPES: Final = (
    Choice("chat", Text(de="Fragen", en="Ask"), Text(de="Mit dem Assistenten sprechen", en="Talk to the assistant")),
    Choice("read", Text(de="Lesen", en="Read"), Text(de="Gespräche und Stammdaten", en="Conversations and details")),
    Choice("usage", Text(de="Verbrauch", en="Usage"), Text(de="Tokens und Kosten", en="Tokens and cost")),
    Choice("export", Text(de="Export", en="Export"), Text(de="Alle Daten holen", en="Take all data along")),
    Choice("admin", Text(de="Verwalten", en="Manage"), Text(de="Assistenten einstellen", en="Set up the assistant")),
)  # fmt: skip


class InviteForm(Body):
    """Whom to invite, as what."""

    email: Email
    role: Role


class RoleForm(Body):
    """A member's role."""

    role: Role


class KeyForm(Body):
    """A key for a program; the day is the last one on which it works."""

    name: Line
    scopes: list[str] = Field(min_length=1)
    expires_on: Annotated[date, Field(le=LATEST)] | None = None


@router.get("/members")
async def team(look: LookDep) -> Response:
    """Members and open invitations."""
    return await look.show(await _team(look, look.member()), "members")


@router.post("/members/invite")
async def invite(request: Request, look: LookDep) -> Response:
    """A mail with a link is on its way."""
    member = look.member(*ADMINS)
    values = await sent(request)
    form = read_form(InviteForm, {"email": values.get("email", ""), "role": values.get("role", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(await _team(look, member, form), "members", status=422)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            profile = await profile_of(tx.vault, await tenant_of(tx, member.tenant))
            await members.invite(
                tx,
                member.tenant,
                look.container.links,
                email=form.email,
                role=form.role,
                inviter=member.person,
                by_role=member.role,
                by=member.actor,
                company=profile.legal_name,
                lang=look.lang,
            )
    except DomainError as error:
        return await look.show(await _team(look, member, again(values, error, look.lang)), "members", status=409)
    return to("/members")


@router.post("/members/{membership_id}/role")
async def change_role(membership_id: Annotated[MembershipIdText, Path()], request: Request, look: LookDep) -> Response:
    """The member has this role."""
    member = look.member(*ADMINS)
    form = read_form(RoleForm, {"role": (await sent(request)).get("role", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(await _team(look, member, form), "members", status=422)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            await members.change_role(tx, member.tenant, membership_id, form.role, by_role=member.role, by=member.actor)
    except DomainError as error:
        return await _refused(look, member, error)
    return to("/members")


@router.post("/members/{membership_id}/remove")
async def remove(membership_id: Annotated[MembershipIdText, Path()], look: LookDep) -> Response:
    """The person is no member any more."""
    member = look.member(*ADMINS)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            await members.remove(tx, member.tenant, membership_id, by_role=member.role, by=member.actor)
    except DomainError as error:
        return await _refused(look, member, error)
    return to("/members")


@router.post("/invitations/{invitation_id}/revoke")
async def revoke_invitation(invitation_id: Annotated[InvitationIdText, Path()], look: LookDep) -> Response:
    """The invitation's link opens nothing any more."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await members.revoke_invitation(tx, member.tenant, invitation_id, member.actor)
    return to("/members")


@router.get("/invitation")
async def invitation(look: LookDep, token: str = "") -> Response:
    """What the link offers."""
    return await _offer(look, token)


@router.post("/invitation")
async def accept(request: Request, look: LookDep) -> Response:
    """The person is a member and logged in; who has an account proves it by its password."""
    values = await sent(request)
    token = values.get("token", "")
    form = read_form(AcceptIn, {"token": token, "password": values.get("password", "")}, look.lang)
    if isinstance(form, Form):
        return await _offer(look, token, form, status=422)
    container = look.container
    try:
        person, tenant = await members.accept(
            container.database, container.passwords, token=form.token, password=form.password, lang=look.lang
        )
    except DomainError as error:
        return await _offer(look, token, again(values, error, look.lang), status=409)
    async with container.database.system_uow() as tx:
        secret = await sessions.begin(tx, person, device_of(request), tenant)
    response = to("/home")
    set_session(response, container, secret)
    return response


@router.get("/keys")
async def keys(look: LookDep, page: Annotated[PageQuery, Depends(page_query)]) -> Response:
    """The keys of the company's programs, the newest first."""
    return await look.show(await _keys(look, look.member(*ADMINS), page), "keys")


@router.post("/keys")
async def create_key(request: Request, look: LookDep, page: Annotated[PageQuery, Depends(page_query)]) -> Response:
    """A new key, whose secret is on this page and nowhere else. Sending the form again shows the same one."""
    member = look.member(*ADMINS)
    values = await sent(request)
    scopes = [one for one in values.get("scopes", "").split(",") if one]
    fields = {"name": values.get("name", ""), "scopes": scopes, "expires_on": values.get("expires_on") or None}
    form = read_form(KeyForm, fields, look.lang)
    if isinstance(form, Form):
        typed = Form({**values, **form.values, "scopes": ",".join(scopes)}, form.errors, form.problem)
        return await look.show(await _keys(look, member, page, typed), "keys", status=422)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            _, secret = await api_keys.create(
                tx,
                member.tenant,
                name=form.name,
                scopes=form.scopes,
                expires_at=_end_of(form.expires_on) if form.expires_on else None,
                person=member.person,
                by=member.actor,
            )
    except DomainError as error:
        return await look.show(await _keys(look, member, page, again(values, error, look.lang)), "keys", status=422)
    return await look.show(await _keys(look, member, page, secret=secret), "keys")


@router.post("/keys/{key_id}/revoke")
async def revoke_key(key_id: Annotated[ApiKeyIdText, Path()], look: LookDep) -> Response:
    """The key opens nothing any more."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await api_keys.revoke(tx, member.tenant, key_id, member.actor)
    return to("/keys")


async def _refused(look: Look, member: Member, error: DomainError) -> Response:
    return await look.show(await _team(look, member, again({}, error, look.lang)), "members", status=409)


async def _team(look: Look, member: Member, form: Form = EMPTY) -> company.Members:
    may_edit = member.role in ADMINS
    async with look.container.database.uow(member.tenant) as tx:
        seats = (await tenant_of(tx, member.tenant)).seats
        people = await members.list_members(tx, member.tenant)
        invited = await members.list_invitations(tx, member.tenant)
        turns = await turns_of_all(tx, member.tenant, Channel.PORTAL, [one.person for one in people])
    return company.Members(
        tuple(
            company.MemberRow(
                encode(PREFIXES["membership"], one.id),
                one.email,
                one.role.value,
                one.since,
                one.person == member.person,
                counted(turns.get(one.person, NONE_YET)),
            )
            for one in people
        ),
        tuple(
            company.InvitationRow(encode(PREFIXES["invitation"], one.id), one.email, one.role.value, one.expires_at)
            for one in invited
        )
        if may_edit
        else (),
        seats,
        may_edit,
        form,
        taken=len(people) + len(invited),
    )


async def _keys(
    look: Look, member: Member, page: PageQuery, form: Form = EMPTY, *, secret: str | None = None
) -> company.Keys:
    after = ApiKeyId(page.after) if page.after else None
    async with look.container.database.uow(member.tenant) as tx:
        found = await api_keys.list_all(tx, member.tenant, after=after, limit=page.limit)
        turns = await turns_of_all(tx, member.tenant, Channel.API, [one.id for one in found])
    shown, has_more = cut(found, page.limit)
    rows = tuple(
        company.KeyRow(
            encode(PREFIXES["api_key"], one.id),
            one.name,
            one.hint,
            one.scopes,
            one.created_at,
            one.expires_at,
            one.last_used_at,
            one.revoked_at,
            counted(turns.get(one.id, NONE_YET)),
        )
        for one in shown
    )
    base = look.container.settings.base_url.rstrip("/")
    return company.Keys(rows, SCOPES, base, secret, form, encode_cursor(shown[-1].id) if has_more else None)


async def _offer(look: Look, token: str, form: Form = EMPTY, *, status: int = 200) -> Response:
    try:
        async with look.container.database.system_uow() as tx:
            offer = await members.look_at(tx, token)
            name = (await profile_of(tx.vault, await tenant_of(tx, offer.tenant))).legal_name
    except DomainError as error:
        return await look.show(public.Failure(410, error.sentence(look.lang)), status=410)
    page = public.InvitationPage(token, name, offer.role, offer.email, not offer.has_account, form)
    return await look.show(page, status=status)


def _end_of(last: date) -> datetime:
    """The end of that day in Berlin."""
    return day_start(last + timedelta(days=1)).astimezone(UTC)
