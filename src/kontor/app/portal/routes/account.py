"""A person's own account: language, password, sessions; and the second factor of the operator's staff."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from kontor.app.api.access import CodeIn
from kontor.app.api.ids import SessionIdText
from kontor.app.api.schemas import Body
from kontor.app.api.texts import Password
from kontor.app.http.login import set_session
from kontor.app.portal.frame import EMPTY, Form, Notice
from kontor.app.portal.routes.page import Look, LookDep, again, own_path, read_form, sent, to
from kontor.app.portal.views import account as views
from kontor.app.portal.views.public import TotpPage
from kontor.core.errors import DomainError
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, encode
from kontor.tenants.people import reset, sessions

router = APIRouter(include_in_schema=False)
OPS: Final = "/ops/tenants"
_CHANGED: Final = Text(
    de="Ihr Passwort ist geändert; alle anderen Anmeldungen sind beendet.",
    en="Your password is changed, and all other sessions have ended.",
)


class PasswordForm(Body):
    """A new password by the current one."""

    current: str
    password: Password


@router.get("/account")
async def account(look: LookDep, changed: str = "") -> Response:
    """Address, password and sessions."""
    look.require_login()
    notices = (Notice("good", _CHANGED(look.lang)),) if changed else ()
    return await look.show(await _account(look), notices=notices)


@router.post("/account/password")
async def change_password(request: Request, look: LookDep) -> Response:
    """The password is new, and all other sessions are over."""
    login = look.require_login()
    values = await sent(request)
    fields = {name: values.get(name, "") for name in ("current", "password")}
    form = read_form(PasswordForm, fields, look.lang)
    if isinstance(form, Form):
        return await look.show(await _account(look, form), status=422)
    container = look.container
    try:
        await reset.change(
            container.database,
            container.passwords,
            person=login.person,
            session=login.session,
            old=form.current,
            new=form.password,
        )
    except DomainError as error:
        return await look.show(await _account(look, again(values, error, look.lang)), status=422)
    return to("/account?changed=1")


@router.post("/account/sessions/{session_id}/end")
async def end_session(session_id: Annotated[SessionIdText, Path()], look: LookDep) -> Response:
    """One of the person's own sessions is over; another's is left alone."""
    login = look.require_login()
    async with look.container.database.system_uow() as tx:
        await sessions.end(tx, session_id, login.person)
    return to("/account")


@router.get("/login/totp")
async def second_factor(look: LookDep, next: str = OPS) -> Response:  # noqa: A002 - the address's own word
    """Asks the operator's staff for the code."""
    look.require_login()
    return await look.show(TotpPage(next=own_path(next, OPS)))


@router.post("/login/totp")
async def prove_second_factor(request: Request, look: LookDep) -> Response:
    """The session is a strong one under a new secret."""
    login = look.require_login()
    values = await sent(request)
    target = own_path(values.get("next", ""), OPS)
    form = read_form(CodeIn, {"code": values.get("code", "").strip()}, look.lang)
    if isinstance(form, Form):
        return await look.show(TotpPage(form, target), status=422)
    container = look.container
    try:
        secret = await sessions.prove_second_factor(container.database, login.session, login.person, form.code)
    except DomainError as error:
        return await look.show(TotpPage(again(values, error, look.lang), target), status=401)
    response = to(target)
    set_session(response, container, secret)
    return response


async def _account(look: Look, form: Form = EMPTY) -> views.Account:
    login = look.require_login()
    async with look.container.database.system_uow() as tx:
        who = await look.account(tx)
        found = await sessions.list_open(tx, login.person, login.session)
    rows = tuple(
        views.SessionRow(
            encode(PREFIXES["session"], one.id),
            one.user_agent,
            one.address,
            one.created_at,
            one.last_seen_at,
            one.is_current,
        )
        for one in found
    )
    return views.Account(who.email, rows, form)
