"""Signing up, logging in, forgotten passwords, the own account."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from kontor.app.api.ids import PersonIdText, SessionIdText, TenantIdText
from kontor.app.api.schemas import Accepted, Answer, Body
from kontor.app.api.texts import Email, Password, Token
from kontor.app.http.deps import AddressDep, ContainerDep, DatabaseDep, LangDep, PersonCaller
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.login import clear_session, device_of, set_session
from kontor.core.audit import record
from kontor.core.i18n import Lang, Text
from kontor.tenants.people import reset, sessions, sign_up
from kontor.tenants.people.account import Account, account
from kontor.tenants.people.model import Role

router = APIRouter(prefix="/api/v1", tags=["access"], route_class=IdempotentRoute)

LOOK_INTO_YOUR_MAIL = Text(
    de="Bitte sehen Sie in Ihr Postfach: Wir haben Ihnen geschrieben, wie es weitergeht.",
    en="Please look into your mailbox: we have written to you how to go on.",
)


class SignUpIn(Body):
    """A new account."""

    email: Email
    password: Password
    language: Lang | None = None


class TokenIn(Body):
    """The secret part of a link."""

    token: Token


class LoginIn(Body):
    """Address and password."""

    email: Email
    password: Annotated[str, Field(min_length=1, max_length=200, examples=["Drei Äpfel und ein Boot"])]


class CodeIn(Body):
    """Six digits of the authenticator app."""

    code: Annotated[str, Field(pattern=r"^\d{3} ?\d{3}$", examples=["123456"])]


class EmailIn(Body):
    """An address."""

    email: Email
    language: Lang | None = None


class NewPasswordIn(Body):
    """A new password by a link."""

    token: Token
    password: Password


class ChangePasswordIn(Body):
    """A new password by the old one."""

    old: Annotated[str, Field(min_length=1, max_length=200, examples=["Drei Birnen und ein Boot"])]
    new: Password


class SwitchIn(Body):
    """Which tenant to act in."""

    tenant_id: TenantIdText


class MembershipOut(Answer):
    """One of the person's tenants."""

    tenant_id: TenantIdText
    company: str
    role: Role
    state: str


class MeOut(Answer):
    """The logged-in person."""

    id: PersonIdText
    email: str
    language: Lang
    operator_role: str | None
    second_factor: bool
    active_tenant: TenantIdText | None
    role: Role | None
    memberships: list[MembershipOut]


class SessionOut(Answer):
    """One of the person's logins."""

    id: SessionIdText
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str
    is_current: bool


@router.post("/signups", status_code=202, responses=problems())
async def create_sign_up(body: SignUpIn, container: ContainerDep, lang: LangDep, address: AddressDep) -> Accepted:
    """A mail with a link is sent. The answer is the same for addresses that have an account."""
    language = body.language or lang
    await sign_up.sign_up(
        container.database,
        container.passwords,
        container.links,
        email=body.email,
        password=body.password,
        lang=language,
        address=address,
    )
    return Accepted(message=LOOK_INTO_YOUR_MAIL(language))


@router.post("/signups/confirmation", responses=problems(410))
async def confirm_sign_up(body: TokenIn, container: ContainerDep, request: Request, response: Response) -> MeOut:
    """The address is confirmed by the link's token, and the person is logged in by a cookie."""
    async with container.database.system_uow() as tx:
        person = await sign_up.confirm(tx, body.token)
        secret = await sessions.begin(tx, person, device_of(request))
        login = await sessions.resolve(tx, secret)
        assert login is not None  # noqa: S101 - begun a line above
        out = _me(await account(tx, login))
    set_session(response, container, secret)
    return out


@router.post("/sessions", responses=problems())
async def log_in(body: LoginIn, container: ContainerDep, request: Request, response: Response) -> MeOut:
    """The person is logged in by a cookie; every login gets a new session."""
    secret, _ = await sessions.log_in(
        container.database, container.passwords, email=body.email, password=body.password, device=device_of(request)
    )
    async with container.database.system_uow() as tx:
        login = await sessions.resolve(tx, secret)
        assert login is not None  # noqa: S101 - begun a line above
        out = _me(await account(tx, login))
    set_session(response, container, secret)
    return out


@router.post("/sessions/current/second-factor", status_code=204, responses=problems())
async def prove_second_factor(body: CodeIn, caller: PersonCaller, container: ContainerDep, response: Response) -> None:
    """The session is a strong one, as operators need it, and has a new secret."""
    secret = await sessions.prove_second_factor(container.database, caller.session, caller.person, body.code)
    set_session(response, container, secret)


@router.delete("/sessions/current", status_code=204, responses=problems())
async def log_out(caller: PersonCaller, database: DatabaseDep, container: ContainerDep, response: Response) -> None:
    """The session is over."""
    async with database.system_uow() as tx:
        await sessions.end(tx, caller.session, caller.person)
        await record(tx, caller.actor, "session.ended")
    clear_session(response, container)


@router.get("/sessions", responses=problems())
async def list_sessions(caller: PersonCaller, database: DatabaseDep) -> list[SessionOut]:
    """The person's logins, the latest first."""
    async with database.system_uow() as tx:
        found = await sessions.list_open(tx, caller.person, caller.session)
    return [SessionOut.model_validate(one) for one in found]


@router.delete("/sessions/{session_id}", status_code=204, responses=problems())
async def end_session(
    session_id: Annotated[SessionIdText, Path()], caller: PersonCaller, database: DatabaseDep
) -> None:
    """One of the person's own logins is over. Another's is left alone, and nobody learns whether there is one."""
    async with database.system_uow() as tx:
        await sessions.end(tx, session_id, caller.person)


@router.get("/me", responses=problems())
async def read_me(caller: PersonCaller, database: DatabaseDep) -> MeOut:
    """The logged-in person with all memberships."""
    async with database.system_uow() as tx:
        return _me(
            await account(
                tx,
                sessions.Login(
                    session=caller.session,
                    person=caller.person,
                    tenant=caller.tenant,
                    role=caller.role,
                    operator_role=caller.operator_role,
                    is_strong=caller.is_strong,
                    language=caller.lang,
                ),
            )
        )


@router.post("/me/password", status_code=204, responses=problems())
async def change_password(body: ChangePasswordIn, caller: PersonCaller, container: ContainerDep) -> None:
    """The password is new, and all other sessions are over."""
    await reset.change(
        container.database,
        container.passwords,
        person=caller.person,
        session=caller.session,
        old=body.old,
        new=body.new,
    )


@router.put("/me/active-tenant", status_code=204, responses=problems())
async def switch_tenant(body: SwitchIn, caller: PersonCaller, database: DatabaseDep) -> None:
    """The session acts in another tenant of the person's."""
    async with database.system_uow() as tx:
        await sessions.switch(tx, caller.session, caller.person, body.tenant_id)


@router.post("/password-resets", status_code=202, responses=problems())
async def ask_for_reset(body: EmailIn, container: ContainerDep, lang: LangDep, address: AddressDep) -> Accepted:
    """Whoever has this address gets a link. The answer is the same for unknown ones."""
    language = body.language or lang
    await reset.ask(container.database, email=body.email, lang=language, address=address)
    return Accepted(message=LOOK_INTO_YOUR_MAIL(language))


@router.post("/password-resets/confirmation", status_code=204, responses=problems(410))
async def confirm_reset(body: NewPasswordIn, container: ContainerDep) -> None:
    """The password is new by the link's token; all sessions are over."""
    await reset.confirm(
        container.database, container.passwords, container.links, token=body.token, password=body.password
    )


def _me(found: Account) -> MeOut:
    return MeOut.model_validate(found)
