"""Who calls, in whose name, and may they: dependencies of every route.

A route states its caller by type; a test walks all routes and fails on one that another tenant, a lesser role or a
stranger can use. Not yours is not found (404); not allowed to your role is 403; nobody is 401.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from kontor.app.container import Container
from kontor.app.http.errors import lang_of
from kontor.core.audit import Actor
from kontor.core.clock import Clock
from kontor.core.db import WITH_EVERY_CHANGE, Database
from kontor.core.errors import DomainError, Kind, NotFound
from kontor.core.i18n import Lang, Text
from kontor.core.ids import ApiKeyId, PersonId, SessionId, TenantId
from kontor.core.telemetry import bind
from kontor.tenants.people import api_keys, sessions
from kontor.tenants.people.model import OperatorRole, Role

SECURE_COOKIE: Final = "__Host-kontor"
PLAIN_COOKIE: Final = "kontor"


class NotLoggedIn(DomainError):
    """Nobody we know."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAUTHENTICATED,
            "login.required",
            Text(
                de="Bitte melden Sie sich an, oder senden Sie einen gültigen API-Schlüssel.",
                en="Please log in, or send a valid API key.",
            ),
        )


class NotAllowed(DomainError):
    """Your role or key may not do this."""

    def __init__(self) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            "role.not_allowed",
            Text(
                de="Ihre Rolle erlaubt das nicht. Bitten Sie einen Inhaber Ihres Mandanten darum.",
                en="Your role does not allow this. Ask an owner of your company.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sends the request; known or not."""

    lang: Lang
    address: str
    login: sessions.Login | None
    key: api_keys.KeyHolder | None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A person with a session, with or without a tenant."""

    person: PersonId
    session: SessionId
    tenant: TenantId | None
    role: Role | None
    operator_role: OperatorRole | None
    is_strong: bool
    lang: Lang
    address: str

    @property
    def actor(self) -> Actor:
        """For the audit log."""
        return Actor("person", sessions.person_text(self.person), self.address, self.person)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who acts in a tenant: a member, or a program with an API key."""

    tenant: TenantId
    role: Role | None
    person: PersonId | None
    api_key: ApiKeyId | None
    scopes: frozenset[str]
    actor: Actor
    lang: Lang
    address: str


def get_container(request: Request) -> Container:
    """The container of this process."""
    container: Container = request.app.state.container
    return container


def get_database(container: Annotated[Container, Depends(get_container)]) -> Database:
    """The database."""
    return container.database


def get_clock(container: Annotated[Container, Depends(get_container)]) -> Clock:
    """The clock."""
    return container.clock


ContainerDep = Annotated[Container, Depends(get_container)]
DatabaseDep = Annotated[Database, Depends(get_database)]
ClockDep = Annotated[Clock, Depends(get_clock)]
LangDep = Annotated[Lang, Depends(lang_of)]


def address_of(request: Request) -> str:
    """The client's address, behind trusted proxies."""
    return str(getattr(request.state, "address", "") or "")


AddressDep = Annotated[str, Depends(address_of)]


def cookie_name(container: Container) -> str:
    """The session cookie: with the `__Host-` prefix wherever the connection is secure."""
    return SECURE_COOKIE if container.settings.is_secure else PLAIN_COOKIE


def session_token(request: Request) -> str | None:
    """What the browser sent as its session."""
    return request.cookies.get(cookie_name(get_container(request)))


def bearer(request: Request) -> str | None:
    """What a program sent as its key."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def credential_of(request: Request) -> str:
    """What proves the caller, or its address when nothing does."""
    return bearer(request) or session_token(request) or f"address:{address_of(request)}"


async def get_visitor(request: Request, container: ContainerDep, lang: LangDep) -> Visitor:
    """Looks up session or key. A wrong key is refused at once, an old session is nobody."""
    secret, token, address = bearer(request), session_token(request), address_of(request)
    if secret is None and token is None:
        return Visitor(lang, address, None, None)
    outer = WITH_EVERY_CHANGE.set(None)  # noticing a login is not the change that an idempotency key protects
    try:
        async with container.database.system_uow() as tx:
            if secret is not None:
                holder = await api_keys.resolve(tx, secret)
                if holder is None:
                    raise NotLoggedIn
                bind(tenant=holder.tenant)
                return Visitor(lang, address, None, holder)
            login = await sessions.resolve(tx, token or "")
            return Visitor(lang, address, login, None)
    finally:
        WITH_EVERY_CHANGE.reset(outer)


VisitorDep = Annotated[Visitor, Depends(get_visitor)]


async def get_person(visitor: VisitorDep) -> LoggedIn:
    """A person who is logged in. Raises NotLoggedIn."""
    login = visitor.login
    if login is None:
        raise NotLoggedIn
    return LoggedIn(
        person=login.person,
        session=login.session,
        tenant=login.tenant,
        role=login.role,
        operator_role=login.operator_role,
        is_strong=login.is_strong,
        lang=visitor.lang,
        address=visitor.address,
    )


PersonCaller = Annotated[LoggedIn, Depends(get_person)]


def scoped(scope: str | None, *roles: Role) -> Callable[[Visitor], Coroutine[Any, Any, Caller]]:
    """A member with one of `roles` (none named: any), or an API key with `scope` (None: no key at all)."""

    async def dependency(visitor: VisitorDep) -> Caller:
        if visitor.key is not None:
            if scope is None or scope not in visitor.key.scopes:
                raise NotAllowed
            actor = Actor("api_key", api_keys.key_text(visitor.key.key), visitor.address)
            return Caller(
                tenant=visitor.key.tenant,
                role=None,
                person=None,
                api_key=visitor.key.key,
                scopes=visitor.key.scopes,
                actor=actor,
                lang=visitor.lang,
                address=visitor.address,
            )
        login = visitor.login
        if login is None:
            raise NotLoggedIn
        if login.tenant is None or login.role is None:
            raise NotFound
        bind(tenant=login.tenant)
        if roles and login.role not in roles:
            raise NotAllowed
        return Caller(
            tenant=login.tenant,
            role=login.role,
            person=login.person,
            api_key=None,
            scopes=frozenset(),
            actor=Actor("person", sessions.person_text(login.person), visitor.address, login.person),
            lang=visitor.lang,
            address=visitor.address,
        )

    return dependency


OwnerCaller = Annotated[Caller, Depends(scoped(None, Role.OWNER))]
AdminCaller = Annotated[Caller, Depends(scoped(None, Role.OWNER, Role.ADMIN))]
BillingCaller = Annotated[Caller, Depends(scoped(None, Role.OWNER, Role.BILLING))]
MemberCaller = Annotated[Caller, Depends(scoped(None))]


def operator(*roles: OperatorRole) -> Callable[[LoggedIn], Coroutine[Any, Any, LoggedIn]]:
    """One of the operator's staff whose second factor was checked in this session. Others get 404 or 403."""

    async def dependency(person: PersonCaller) -> LoggedIn:
        if person.operator_role is None or not person.is_strong:
            raise NotFound
        if roles and person.operator_role not in roles:
            raise NotAllowed
        return person

    return dependency


OperatorCaller = Annotated[LoggedIn, Depends(operator(OperatorRole.OPERATOR))]
OperatorReader = Annotated[LoggedIn, Depends(operator())]
