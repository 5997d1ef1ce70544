"""What every page needs: who looks, in which frame, and how forms tell what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from kontor.app.container import Container
from kontor.app.http.deps import ContainerDep, LangDep, VisitorDep
from kontor.app.portal.frame import Form, Frame, Membership, Person
from kontor.app.portal.render import Pages, View
from kontor.core.errors import DomainError, NotFound
from kontor.core.i18n import Lang, Text
from kontor.core.ids import PREFIXES, TenantId, encode
from kontor.tenants.people.account import account
from kontor.tenants.people.sessions import Login
from kontor.tenants.sellers import DEFAULT_SELLER

SEE_OTHER: Final = 303
_SECRET: Final = frozenset({"password", "token", "old", "new", "code"})
_WRONG: Final = Text(de="Bitte prüfen Sie diese Angabe.", en="Please check this value.")
_CHECK: Final = Text(de="Bitte prüfen Sie die markierten Angaben.", en="Please check the values that are marked.")

B = TypeVar("B", bound=BaseModel)


class LoginFirst(Exception):
    """Nobody is logged in; the browser is sent to the login and comes back."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page."""

    request: Request
    container: Container
    login: Login | None
    lang: Lang

    @property
    def tenant(self) -> TenantId:
        """The active company. Raises NotFound."""
        if self.login is None or self.login.tenant is None:
            raise NotFound
        return self.login.tenant

    def require_login(self) -> Login:
        """Who is logged in. Raises LoginFirst."""
        if self.login is None:
            raise LoginFirst(self.request.url.path)
        return self.login

    async def show(self, view: View, section: str = "", *, status: int = 200) -> Response:
        """The page in its frame."""
        pages: Pages = self.request.app.state.pages
        return pages.response(view, await self._frame(section), status)

    async def _frame(self, section: str) -> Frame:
        seller = self.container.sellers.of(DEFAULT_SELLER).legal_name
        base = Frame(lang=self.lang, path=self.request.url.path, seller=seller, section=section)
        if self.login is None:
            return base
        async with self.container.database.system_uow() as tx:
            who = await account(tx, self.login)
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
    """The form's text fields."""
    form: FormData = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


def again(values: Mapping[str, str], error: DomainError, lang: Lang) -> Form:
    """The form once more, with what was typed (never a secret) and the sentence of the refusal."""
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
