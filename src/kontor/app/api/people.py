"""Members, invitations and API keys of the company."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from kontor.app.api.ids import ApiKeyIdText, InvitationIdText, MembershipIdText, PersonIdText, TenantIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.api.texts import Email, Line, Password, Token
from kontor.app.http.deps import AdminCaller, ContainerDep, DatabaseDep, LangDep, MemberCaller, NotAllowed
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.login import device_of, set_session
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.i18n import Lang
from kontor.core.ids import ApiKeyId
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import api_keys, members, sessions
from kontor.tenants.people.errors import InvalidExpiry
from kontor.tenants.people.model import Role

router = APIRouter(prefix="/api/v1", tags=["people"], route_class=IdempotentRoute)


class MemberOut(Answer):
    """A member."""

    id: MembershipIdText
    person: PersonIdText
    email: str
    role: Role
    since: datetime


class InvitationIn(Body):
    """Whom to invite, as what."""

    email: Email
    role: Role = Role.VIEWER
    language: Lang | None = None


class InvitationOut(Answer):
    """An open invitation."""

    id: InvitationIdText
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


class RoleIn(Body):
    """A member's role."""

    role: Role


class OfferIn(Body):
    """The secret part of an invitation's link."""

    token: Token


class OfferOut(Answer):
    """What the invitation offers; `has_account` tells whose password is asked for: the known one or a new one."""

    company: str
    email: str
    role: Role
    has_account: bool


class AcceptIn(Body):
    """Accepts an invitation."""

    token: Token
    password: Password


class JoinedOut(Answer):
    """The company that was joined."""

    tenant_id: TenantIdText


class ApiKeyIn(Body):
    """A key for a program."""

    name: Line = Field(examples=["Website"])
    scopes: list[str] = Field(min_length=1, max_length=10, examples=[["chat"]])
    expires_at: datetime | None = None


class ApiKeyOut(Answer):
    """A key; `hint` is how its secret begins."""

    id: ApiKeyIdText
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewApiKeyOut(ApiKeyOut):
    """A new key with its secret, which is shown only here."""

    secret: str


@router.get("/members", responses=problems())
async def list_members(caller: MemberCaller, database: DatabaseDep) -> Page[MemberOut]:
    """All members; seats bound their number, so there is one page."""
    async with database.uow(caller.tenant) as tx:
        found = await members.list_members(tx, caller.tenant)
    return Page(items=[MemberOut.model_validate(one) for one in found], next_cursor=None)


@router.patch("/members/{membership_id}", status_code=204, responses=problems(409))
async def change_role(
    membership_id: Annotated[MembershipIdText, Path()], body: RoleIn, caller: AdminCaller, database: DatabaseDep
) -> None:
    """The member has this role."""
    async with database.uow(caller.tenant) as tx:
        await members.change_role(
            tx, caller.tenant, membership_id, body.role, by_role=caller.role or Role.VIEWER, by=caller.actor
        )


@router.delete("/members/{membership_id}", status_code=204, responses=problems(409))
async def remove_member(
    membership_id: Annotated[MembershipIdText, Path()], caller: AdminCaller, database: DatabaseDep
) -> None:
    """The person is no member any more."""
    async with database.uow(caller.tenant) as tx:
        await members.remove(tx, caller.tenant, membership_id, by_role=caller.role or Role.VIEWER, by=caller.actor)


@router.get("/invitations", responses=problems())
async def list_invitations(caller: AdminCaller, database: DatabaseDep) -> Page[InvitationOut]:
    """Open invitations, the newest first."""
    async with database.uow(caller.tenant) as tx:
        found = await members.list_invitations(tx, caller.tenant)
    return Page(items=[InvitationOut.model_validate(one) for one in found], next_cursor=None)


@router.post("/invitations", status_code=201, responses=problems(409))
async def invite(body: InvitationIn, caller: AdminCaller, container: ContainerDep, lang: LangDep) -> InvitationOut:
    """A mail with a link is sent to this address."""
    if caller.person is None or caller.role is None:
        raise NotAllowed
    async with container.database.uow(caller.tenant) as tx:
        profile = await profile_of(tx.vault, await tenant_of(tx, caller.tenant))
        made = await members.invite(
            tx,
            caller.tenant,
            container.links,
            email=body.email,
            role=body.role,
            inviter=caller.person,
            by_role=caller.role,
            by=caller.actor,
            company=profile.legal_name,
            lang=body.language or lang,
        )
    return InvitationOut.model_validate(made)


@router.delete("/invitations/{invitation_id}", status_code=204, responses=problems())
async def revoke_invitation(
    invitation_id: Annotated[InvitationIdText, Path()], caller: AdminCaller, database: DatabaseDep
) -> None:
    """The invitation's link opens nothing any more."""
    async with database.uow(caller.tenant) as tx:
        await members.revoke_invitation(tx, caller.tenant, invitation_id, caller.actor)


@router.post("/invitations/lookup", responses=problems(410))
async def look_at_invitation(body: OfferIn, container: ContainerDep) -> OfferOut:
    """What the invitation with this token offers."""
    async with container.database.system_uow() as tx:
        offer = await members.look_at(tx, body.token)
        company = (await profile_of(tx.vault, await tenant_of(tx, offer.tenant))).legal_name
    return OfferOut(company=company, email=offer.email, role=offer.role, has_account=offer.has_account)


@router.post("/invitations/acceptance", responses=problems(409, 410))
async def accept_invitation(
    body: AcceptIn, container: ContainerDep, lang: LangDep, request: Request, response: Response
) -> JoinedOut:
    """The person is a member and logged in by a cookie."""
    person, tenant = await members.accept(
        container.database, container.passwords, token=body.token, password=body.password, lang=lang
    )
    async with container.database.system_uow() as tx:
        secret = await sessions.begin(tx, person, device_of(request), tenant)
    set_session(response, container, secret)
    return JoinedOut(tenant_id=tenant)


@router.get("/api-keys", responses=problems())
async def list_api_keys(
    caller: AdminCaller, database: DatabaseDep, page: Annotated[PageQuery, Depends(page_query)]
) -> Page[ApiKeyOut]:
    """The company's keys, the newest first, also revoked ones."""
    after = ApiKeyId(page.after) if page.after else None
    async with database.uow(caller.tenant) as tx:
        found = await api_keys.list_all(tx, caller.tenant, after=after, limit=page.limit)
    shown, more = cut(found, page.limit)
    return Page(
        items=[ApiKeyOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if more else None,
    )


@router.post("/api-keys", status_code=201, responses=problems())
async def create_api_key(body: ApiKeyIn, caller: AdminCaller, database: DatabaseDep) -> NewApiKeyOut:
    """A new key. Its secret is in this answer and nowhere else."""
    if caller.person is None:
        raise NotAllowed
    expires_at = body.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidExpiry
    async with database.uow(caller.tenant) as tx:
        made, secret = await api_keys.create(
            tx,
            caller.tenant,
            name=body.name,
            scopes=body.scopes,
            expires_at=expires_at,
            person=caller.person,
            by=caller.actor,
        )
    return NewApiKeyOut(**ApiKeyOut.model_validate(made).model_dump(), secret=secret)


@router.delete("/api-keys/{key_id}", status_code=204, responses=problems())
async def revoke_api_key(key_id: Annotated[ApiKeyIdText, Path()], caller: AdminCaller, database: DatabaseDep) -> None:
    """The key opens nothing any more."""
    async with database.uow(caller.tenant) as tx:
        await api_keys.revoke(tx, caller.tenant, key_id, caller.actor)
