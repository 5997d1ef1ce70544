"""Pages before a login."""

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from kontor.app.api.access import LoginIn, SignUpIn, TokenIn
from kontor.app.api.schemas import Body
from kontor.app.api.texts import Email, Password, Token
from kontor.app.http.deps import address_of
from kontor.app.http.login import clear_session, device_of, set_session
from kontor.app.portal.frame import Form
from kontor.app.portal.routes.page import LookDep, again, own_path, read_form, sent, to
from kontor.app.portal.views import public
from kontor.core.clock import day_of
from kontor.core.errors import DomainError
from kontor.core.i18n import as_lang
from kontor.tenants.contracts.acceptance import specimen
from kontor.tenants.contracts.facts import Seller
from kontor.tenants.people import reset, sessions, sign_up
from kontor.tenants.sellers import DEFAULT_SELLER

router = APIRouter(include_in_schema=False)
YEAR_S = 31_536_000


class ForgotForm(Body):
    """The address."""

    email: Email


class ResetForm(Body):
    """The new password."""

    token: Token
    password: Password


@router.get("/")
async def landing(look: LookDep) -> Response:
    """The first page; who is logged in goes to work."""
    if look.login is not None:
        return to("/home")
    return await look.show(public.Landing(look.container.prices))


@router.get("/sign-up")
async def sign_up_page(look: LookDep) -> Response:
    """The form alone."""
    return await look.show(public.SignUpPage())


@router.post("/sign-up")
async def do_sign_up(request: Request, look: LookDep) -> Response:
    """A mail is on its way, whoever asked."""
    values = await sent(request)
    form = read_form(SignUpIn, {"email": values.get("email", ""), "password": values.get("password", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(public.SignUpPage(form), status=422)
    try:
        await sign_up.sign_up(
            look.container.database,
            look.container.passwords,
            look.container.links,
            email=form.email,
            password=form.password,
            lang=look.lang,
            address=address_of(request),
        )
    except DomainError as error:
        return await look.show(public.SignUpPage(again(values, error, look.lang)), status=429)
    return await look.show(public.CheckMail(form.email, "verify", look.container.settings.outbox_url))


@router.get("/verify")
async def verify_page(look: LookDep, token: str = "") -> Response:
    """A button: scanners of mail open links, only a person presses it."""
    return await look.show(public.Verify(token))


@router.post("/verify")
async def verify(request: Request, look: LookDep) -> Response:
    """The address is proven, and the person is logged in."""
    form = read_form(TokenIn, {"token": (await sent(request)).get("token", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(public.Verify("", form.problem), status=422)
    try:
        async with look.container.database.system_uow() as tx:
            person = await sign_up.confirm(tx, form.token)
            secret = await sessions.begin(tx, person, device_of(request))
    except DomainError as error:
        if look.login is not None:  # the second click of somebody who is in already
            return to("/home")
        return await look.show(public.Verify("", error.sentence(look.lang)), status=410)
    response = to("/onboarding/company")
    set_session(response, look.container, secret)
    return response


@router.get("/login")
async def login_page(look: LookDep, next: str = "") -> Response:  # noqa: A002 - the address's own word
    """E-mail and password."""
    return await look.show(public.LoginPage(next=own_path(next, "")))


@router.post("/login")
async def log_in(request: Request, look: LookDep) -> Response:
    """A new session, and on to where the person came from."""
    values = await sent(request)
    target = own_path(values.get("next", ""), "/home")
    fields = {name: values.get(name, "") for name in ("email", "password")}
    form = read_form(LoginIn, fields, look.lang)
    if isinstance(form, Form):
        return await look.show(public.LoginPage(form, target), status=422)
    try:
        secret, _ = await sessions.log_in(
            look.container.database,
            look.container.passwords,
            email=form.email,
            password=form.password,
            device=device_of(request),
        )
    except DomainError as error:
        return await look.show(public.LoginPage(again(values, error, look.lang), target), status=401)
    response = to(target)
    set_session(response, look.container, secret)
    return response


@router.post("/logout")
async def log_out(look: LookDep) -> Response:
    """The session is over. A second click changes nothing."""
    if look.login is not None:
        async with look.container.database.system_uow() as tx:
            await sessions.end(tx, look.login.session, look.login.person)
    response = to("/")
    clear_session(response, look.container)
    return response


@router.get("/forgot")
async def forgot_page(look: LookDep) -> Response:
    """Asks for the address."""
    return await look.show(public.Forgot())


@router.post("/forgot")
async def forgot(request: Request, look: LookDep) -> Response:
    """A link is on its way, if there is an account."""
    values = await sent(request)
    form = read_form(ForgotForm, {"email": values.get("email", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(public.Forgot(form), status=422)
    try:
        await reset.ask(look.container.database, email=form.email, lang=look.lang, address=address_of(request))
    except DomainError as error:
        return await look.show(public.Forgot(again(values, error, look.lang)), status=429)
    return await look.show(public.CheckMail(form.email, "reset", look.container.settings.outbox_url))


@router.get("/reset")
async def reset_page(look: LookDep, token: str = "") -> Response:
    """Asks for the new password."""
    return await look.show(public.Reset(token))


@router.post("/reset")
async def do_reset(request: Request, look: LookDep) -> Response:
    """The password is new; on to the login."""
    values = await sent(request)
    token = values.get("token", "")
    form = read_form(ResetForm, {"token": token, "password": values.get("password", "")}, look.lang)
    if isinstance(form, Form):
        return await look.show(public.Reset(token, form), status=422)
    try:
        await reset.confirm(
            look.container.database,
            look.container.passwords,
            look.container.links,
            token=form.token,
            password=form.password,
        )
    except DomainError as error:
        return await look.show(public.Reset(token, again(values, error, look.lang)), status=410)
    return to("/login")


@router.post("/language")
async def language(request: Request, look: LookDep) -> Response:
    """The choice is kept for a year."""
    values = await sent(request)
    chosen = as_lang(values.get("lang") or values.get("language")) or look.lang
    response = to(own_path(values.get("next") or values.get("path") or "/", "/"))
    response.set_cookie("lang", chosen, max_age=YEAR_S, samesite="lax", secure=look.container.settings.is_secure)
    return response


@router.get("/imprint")
async def imprint(look: LookDep) -> Response:
    """Who runs this."""
    seller = look.container.sellers.of(DEFAULT_SELLER)
    vat_ids = tuple(one.number for one in seller.tax_registrations)
    return await look.show(
        public.Imprint(
            seller.legal_name,
            _address(seller),
            seller.represented_by,
            seller.register_entry,
            vat_ids,
            seller.email,
            seller.phone,
        )
    )


@router.get("/privacy")
async def privacy(look: LookDep) -> Response:
    """What we do with data of visitors and account holders."""
    seller = look.container.sellers.of(DEFAULT_SELLER)
    return await look.show(
        public.Privacy(seller.legal_name, _address(seller), seller.email, seller.dpo_name or "", seller.dpo_email or "")
    )


@router.get("/terms")
async def terms(look: LookDep) -> Response:
    """The general terms, as they are offered to a company in Germany today."""
    document = specimen(look.container.paper, "terms", look.lang, day_of(look.container.clock.now()))
    html = Markup(document.html)  # noqa: S704 - our own text
    return await look.show(public.Terms(document.title, document.ref.version, html))


@router.get("/sub-processors")
async def sub_processors(look: LookDep) -> Response:
    """The public list."""
    deployments = look.container.paper.deployments
    found = {
        one.legal_entity: one for key in look.container.catalogue.residencies for one in deployments.reachable(key)
    }
    rows = tuple(
        public.SubProcessor(one.legal_entity, one.seat, one.region, one.purpose, one.transfer_basis)
        for one in found.values()
    )
    return await look.show(public.SubProcessors(day_of(look.container.clock.now()), rows))


def _address(seller: Seller) -> tuple[str, ...]:
    where = seller.address
    return (where.street, f"{where.postal_code} {where.city}", where.country)
