"""From a new account to an assistant that answers: company, contracts, preparation."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request
from markupsafe import Markup
from starlette.responses import Response

from kontor.app.api.company import CompanyIn, ResidencyNotServed
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.portal.frame import ADMINS, Choice, Form
from kontor.app.portal.routes.page import Look, LookDep, again, read_form, sent, to
from kontor.app.portal.views import onboarding
from kontor.core.errors import DomainError, NotFound
from kontor.core.i18n import Lang, Text
from kontor.core.ids import TenantId
from kontor.core.money import Money
from kontor.tenants.contracts.acceptance import Offered, Signature, accept, offered
from kontor.tenants.contracts.pdf import to_pdf
from kontor.tenants.lifecycle.assistant import read_assistant
from kontor.tenants.lifecycle.company import Company, profile_of
from kontor.tenants.lifecycle.create import create_tenant, new_tenant
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.lifecycle.view import AssistantView, assistant_view
from kontor.tenants.people import sessions
from kontor.tenants.people.model import Role

router = APIRouter(include_in_schema=False, route_class=IdempotentRoute)
KindPath = Annotated[str, Path(max_length=40)]
_NUMBER = frozenset("0123456789")


@router.get("/onboarding/company")
async def company_page(look: LookDep, new: str = "") -> Response:
    """The form; who has a company goes on, unless a further one is wanted."""
    login = look.require_login()
    if login.tenant is not None and not new:
        return to("/home")
    return await look.show(_company_form(look, Form({"new": "1"} if new else {})))


@router.get("/onboarding/quote")
async def quote(look: LookDep, plan: str = "pilot", seats: str = "1") -> Response:
    """What a month costs, asked for at each change of the form."""
    look.require_login()
    return await look.show(_quote(look, plan, seats))


@router.post("/onboarding/company")
async def create_company(request: Request, look: LookDep) -> Response:
    """The company exists, and its contracts come next. A second submit finds it there."""
    login = look.require_login()
    values = await sent(request)
    if login.tenant is not None and not values.get("new"):
        return to("/home")
    names = ("legal_name", "street", "postcode", "city", "country", "industry", "use_case", "residency", "plan")
    fields: dict[str, object] = {name: values.get(name, "") for name in names}
    fields |= {"seats": values.get("seats") or "1", "is_business": "is_business" in values}
    body = read_form(CompanyIn, fields, look.lang)
    if isinstance(body, Form):
        return await look.show(
            _company_form(look, Form({**values, **body.values}, body.errors, body.problem)), status=422
        )
    container = look.container
    company = Company(
        legal_name=body.legal_name,
        street=body.street,
        postcode=body.postcode,
        city=body.city,
        country=body.country.upper(),
        is_business=body.is_business,
        industry=body.industry,
        use_case=body.use_case,
        residency=body.residency,
        plan="starter" if body.plan == "pilot" else body.plan,
        is_pilot=body.plan == "pilot",
        seats=body.seats,
        language=look.lang,
    )
    tenant = await new_tenant(container.vault)
    try:
        if not container.paper.deployments.serves(body.residency):
            raise ResidencyNotServed
        async with container.database.system_uow() as tx:
            await create_tenant(tx, tenant, company, login.person, look.actor, catalogue=container.catalogue)
            await sessions.switch(tx, login.session, login.person, tenant)
    except DomainError as error:
        await container.vault.destroy_key(tenant)
        return await look.show(_company_form(look, again(values, error, look.lang)), status=422)
    return to("/onboarding/contracts")


@router.get("/onboarding/contracts")
async def contracts_page(look: LookDep) -> Response:
    """All documents to read and accept."""
    return await look.show(await _contracts(look, look.member().tenant, Form()))


@router.post("/onboarding/contracts")
async def accept_contracts(request: Request, look: LookDep) -> Response:
    """The marked documents are accepted; with the last one the assistant is on its way."""
    member = look.member(Role.OWNER)
    values = await sent(request)
    documents = await documents_of(look, member.tenant)
    signatures = [
        Signature(one.ref.kind, one.ref.version, look.lang, values.get(f"sha256.{one.ref.kind}", ""))
        for one in documents
        if one.accepted_at is None and values.get(f"accept.{one.ref.kind}")
    ]
    is_complete = False
    try:
        async with look.container.database.uow(member.tenant) as tx:
            is_complete = await accept(
                tx, member.tenant, look.container.paper, signatures, person=member.person, by=member.actor
            )
    except DomainError as error:
        return await look.show(await _contracts(look, member.tenant, again(values, error, look.lang)), status=409)
    if is_complete:
        return to("/onboarding/progress")
    missing = Text(de="Bitte nehmen Sie alle Dokumente an.", en="Please accept all documents.")
    form = Form(values, problem=missing(look.lang))
    return await look.show(await _contracts(look, member.tenant, form), status=422)


@router.get("/onboarding/contracts/{kind}.pdf")
async def contract_pdf(kind: KindPath, look: LookDep) -> Response:
    """One document as PDF/A."""
    return pdf_response(await one_document(look, look.member().tenant, kind), look.lang)


@router.get("/onboarding/contracts/{kind}")
async def contract_page(kind: KindPath, look: LookDep) -> Response:
    """One document to read and print."""
    tenant = look.member().tenant
    one = await one_document(look, tenant, kind)
    return await look.show(
        onboarding.DocumentPage(document_view(one), await _company_name(look, tenant), "/onboarding/contracts")
    )


@router.get("/onboarding/progress")
async def progress(request: Request, look: LookDep) -> Response:
    """How far the assistant is; asks again each second while it waits."""
    tenant = look.member().tenant
    async with look.container.database.uow(tenant) as tx:
        view = await assistant_view(tx, tenant)
        name = (await read_assistant(tx, tenant)).display_name
    shape = onboarding.PreparationPart if "hx-request" in request.headers else onboarding.Preparation
    state = "ready" if view.ready_at else "failed" if view.can_retry and view.failure else "waiting"
    problem = view.failure(look.lang) if view.failure else None
    return await look.show(shape(state, _steps(view), name, problem))  # type: ignore[arg-type]


@router.post("/onboarding/retry")
async def retry(look: LookDep) -> Response:
    """A failed setup begins anew."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await retry_provisioning(tx, member.tenant, member.actor)
    return to("/onboarding/progress")


async def documents_of(look: Look, tenant: TenantId, lang: Lang | None = None) -> list[Offered]:
    """All documents of the company's contract, as they are offered today."""
    async with look.container.database.uow(tenant) as tx:
        return await offered(tx, tenant, look.container.paper, lang or look.lang)


async def one_document(look: Look, tenant: TenantId, kind: str) -> Offered:
    """The document of this kind. Raises NotFound."""
    for one in await documents_of(look, tenant):
        if one.ref.kind == kind:
            return one
    raise NotFound


def document_view(one: Offered) -> onboarding.DocumentView:
    """A document as pages show it."""
    return onboarding.DocumentView(
        kind=one.ref.kind,
        version=one.ref.version,
        title=one.document.title,
        summary=one.document.summary,
        html=Markup(one.document.html),  # noqa: S704 - our own texts; facts are escaped where they are filled in
        sha256=one.document.sha256,
        must_accept=one.ref.is_to_be_accepted,
        accepted_at=one.accepted_at,
    )


def pdf_response(one: Offered, lang: Lang) -> Response:
    """A document as PDF/A to download."""
    name = f"{one.ref.kind}-{one.ref.version}-{lang}.pdf"
    return Response(
        to_pdf(one.document),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _company_form(look: Look, form: Form) -> onboarding.CompanyForm:
    data, deployments = look.container.catalogue, look.container.paper.deployments
    return onboarding.CompanyForm(
        tuple(Choice(one.code, one.name) for one in data.countries.values()),
        tuple(Choice(one.key, one.name) for one in data.industries.values()),
        tuple(
            Choice(one.key, one.name, one.promise) for one in data.residencies.values() if deployments.serves(one.key)
        ),
        look.container.prices,
        _quote(look, form.value("plan", "pilot"), form.value("seats", "5")),
        form,
    )


def _quote(look: Look, plan: str, seats: str) -> onboarding.Quote:
    prices = look.container.prices
    known = prices.plans.get(plan)
    if known is None:
        return onboarding.Quote(
            "Pilot", prices.pilot.seats, None, None, None, prices.pilot.weeks, Money(prices.pilot.cap_cents)
        )
    wanted = min(10_000, max(1, int(seats))) if seats and set(seats) <= _NUMBER and len(seats) < 6 else 1  # noqa: PLR2004
    each = known.seat_price(wanted)
    total = Money(each.cents * wanted)
    better = None
    for step in (50, 100):
        cheaper = Money(known.seat_price(step).cents * step)
        if wanted < step and cheaper.cents < total.cents:
            better = onboarding.Better(step, cheaper)
            break
    return onboarding.Quote(known.name, wanted, each, total, better)


async def _contracts(look: Look, tenant: TenantId, form: Form) -> onboarding.ContractsPage:
    documents = await documents_of(look, tenant)
    return onboarding.ContractsPage(await _company_name(look, tenant), tuple(map(document_view, documents)), form)


async def _company_name(look: Look, tenant: TenantId) -> str:
    async with look.container.database.uow(tenant) as tx:
        return (await profile_of(tx.vault, await tenant_of(tx, tenant))).legal_name


_STEPS: Mapping[int, Text] = {
    1: Text(de="Verträge geschlossen", en="Contracts accepted"),
    10: Text(de="Instanz zugeteilt", en="Instance assigned"),
    90: Text(de="Assistent gestartet", en="Assistant started"),
    100: Text(de="Assistent antwortet", en="Assistant answers"),
}


def _steps(view: AssistantView) -> tuple[onboarding.PreparationStep, ...]:
    done = [view.progress_pct >= least for least in _STEPS]
    active = done.index(False) if False in done else len(done)
    broken = view.failure is not None and view.can_retry
    return tuple(
        onboarding.PreparationStep(
            label, "done" if place < active else ("failed" if broken else "active") if place == active else "todo"
        )
        for place, label in enumerate(_STEPS.values())
    )
