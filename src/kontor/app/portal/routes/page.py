"""What every page needs: who looks, in which frame, and how forms tell what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from kontor.app.container import Container
from kontor.app.http.deps import ContainerDep, LangDep, NotAllowed, VisitorDep, address_of
from kontor.app.portal.frame import ADMINS, Form, Frame, Membership, Notice, Person
from kontor.app.portal.render import Pages, View
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.errors import DomainError, Kind, NotFound
from kontor.core.i18n import Lang, Text
from kontor.core.ids import PREFIXES, PersonId, SessionId, TenantId, encode
from kontor.core.telemetry import bind
from kontor.tenants.people.account import Account, account
from kontor.tenants.people.model import OperatorRole, Role
from kontor.tenants.people.sessions import Login, person_text
from kontor.tenants.sellers import DEFAULT_SELLER
from kontor.tenants.talk import inbox

SEE_OTHER: Final = 303
_SECRET: Final = frozenset({"password", "token", "current", "code"})
_WRONG: Final = Text(de="Bitte prüfen Sie diese Angabe.", en="Please check this value.")
_CHECK: Final = Text(de="Bitte prüfen Sie die markierten Angaben.", en="Please check the values that are marked.")

B = TypeVar("B", bound=BaseModel)


class LoginFirst(Exception):
    """Nobody is logged in; the browser is sent to the login and comes back."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class CompanyFirst(Exception):
    """Somebody is logged in and works in no company yet; the browser is sent to where one is made."""


class SecondFactorFirst(Exception):
    """The operator's staff has proven only the password; the browser is sent to the second factor and comes back."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works in a company."""

    tenant: TenantId
    role: Role
    person: PersonId
    session: SessionId
    actor: Actor


@dataclass(frozen=True, slots=True)
class Staff:
    """One of the operator's staff, with a proven second factor."""

    role: OperatorRole
    actor: Actor

    @property
    def may_act(self) -> bool:
        """Others of the staff only read."""
        return self.role is OperatorRole.OPERATOR


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page."""

    request: Request
    container: Container
    login: Login | None
    lang: Lang

    @property
    def actor(self) -> Actor:
        """For the audit log. Raises LoginFirst."""
        login = self.require_login()
        return Actor("person", person_text(login.person), address_of(self.request), login.person)

    def member(self, *roles: Role) -> Member:
        """Who works here, with one of `roles` (none named: any). Raises LoginFirst, CompanyFirst, NotAllowed."""
        login = self.require_login()
        if login.tenant is None or login.role is None:
            raise CompanyFirst
        bind(tenant=login.tenant)
        if roles and login.role not in roles:
            raise NotAllowed
        return Member(login.tenant, login.role, login.person, login.session, self.actor)

    def staff(self, *, acts: bool = False) -> Staff:
        """Who runs this, to act or to look. Raises LoginFirst, NotFound (a customer), SecondFactorFirst, NotAllowed."""
        login = self.require_login()
        if login.operator_role is None:
            raise NotFound
        if not login.is_strong:
            raise SecondFactorFirst(self.request.url.path)
        found = Staff(login.operator_role, replace(self.actor, kind="operator"))
        if acts and not found.may_act:
            raise NotAllowed
        return found

    def require_login(self) -> Login:
        """Who is logged in. Raises LoginFirst."""
        if self.login is None:
            is_page = self.request.method == "GET"
            raise LoginFirst(self.request.url.path if is_page else "/home")
        return self.login

    async def account(self, tx: Tx) -> Account:
        """The person who is logged in. Needs a system unit of work. Raises LoginFirst."""
        return await account(tx, self.require_login())

    async def show(
        self, view: View, section: str = "", *, status: int = 200, notices: tuple[Notice, ...] = ()
    ) -> Response:
        """The page in its frame."""
        pages: Pages = self.request.app.state.pages
        return pages.response(view, replace(await self._frame(section), notices=notices), status)

    async def _frame(self, section: str) -> Frame:
        seller = self.container.sellers.of(DEFAULT_SELLER).legal_name
        base = Frame(lang=self.lang, path=self.request.url.path, seller=seller, section=section)
        if self.login is None:
            return base
        async with self.container.database.system_uow() as tx:
            who = await self.account(tx)
            sees_all = self.login.tenant is not None and self.login.role in ADMINS
            waiting = await inbox.count_waiting(tx, self.login.tenant) if self.login.tenant and sees_all else 0
        memberships = tuple(
            Membership(encode(PREFIXES["tenant"], one.tenant_id), one.company, one.role) for one in who.memberships
        )
        active = encode(PREFIXES["tenant"], self.login.tenant) if self.login.tenant else None
        return Frame(
            lang=base.lang,
            path=base.path,
            seller=base.seller,
            section=section,
            person=Person(who.email),
            current=next((one for one in memberships if one.tenant == active), None),
            memberships=memberships,
            operator=self.login.operator_role,
            waiting=waiting,
        )


async def get_look(request: Request, container: ContainerDep, visitor: VisitorDep, lang: LangDep) -> Look:
    """Whoever looks; an API key opens no page."""
    return Look(request, container, visitor.login, lang)


LookDep = Annotated[Look, Depends(get_look)]


def to(path: str) -> RedirectResponse:
    """After a POST: the browser goes on with a GET, so that reloading repeats nothing."""
    return RedirectResponse(path, SEE_OTHER)


def to_login(path: str) -> RedirectResponse:
    """To the login, and from there back."""
    return to(f"/login?next={quote(path, safe='/')}")


def own_path(path: str, otherwise: str) -> str:
    """Only a path of our own is gone on to: never another site."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else otherwise


async def sent(request: Request) -> dict[str, str]:
    """The form's text fields; a name that comes several times holds its values with commas between."""
    form: FormData = await request.form()
    return {name: ",".join(one for one in form.getlist(name) if isinstance(one, str)) for name in form}


def whole(text: str) -> int:
    """A number of a form that fits an integer column; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - digits


def again(values: Mapping[str, str], error: DomainError, lang: Lang) -> Form:
    """The form once more, with what was typed (never a secret) and the sentence of the refusal.

    Raises the refusal itself when there is nothing that the form could be about (404).
    """
    if error.kind is Kind.NOT_FOUND:
        raise error
    field = getattr(error, "field", None)
    kept = {name: value for name, value in values.items() if name not in _SECRET}
    if isinstance(field, str) and field in values:
        return Form(kept, {field: error.sentence(lang)})
    return Form(kept, problem=error.sentence(lang))


def read_form(shape: type[B], values: Mapping[str, object], lang: Lang) -> B | Form:
    """What was sent in its shape, or the form with what does not fit beside its fields."""
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        kept = {name: str(value) for name, value in values.items() if name not in _SECRET and value is not None}
        errors = {str(one["loc"][0]): _WRONG(lang) for one in error.errors() if one["loc"]}
        return Form(kept, errors, _CHECK(lang))
