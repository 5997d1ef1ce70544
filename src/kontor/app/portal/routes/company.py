"""The company: its details, its contracts, its audit log."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from markupsafe import Markup, escape
from starlette.responses import Response

from kontor.app.api.audit import before_of, cursor_of
from kontor.app.http.pages import PageQuery, cut, page_query
from kontor.app.portal.frame import ADMINS, EMPTY, Form, Notice
from kontor.app.portal.routes.onboarding import document_view, documents_of, one_document, pdf_response
from kontor.app.portal.routes.page import Look, LookDep, Member, again, sent, to, whole
from kontor.app.portal.views import company
from kontor.app.portal.views.onboarding import DocumentPage, DocumentView
from kontor.core import audit as chain
from kontor.core.audit_log import EntryView, read_chain
from kontor.core.errors import DomainError, NotFound
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, TenantId, encode
from kontor.tenants.contracts.acceptance import AcceptedText, accepted_text
from kontor.tenants.lifecycle.company import RETENTIONS, company_of
from kontor.tenants.lifecycle.edit_company import edit_company
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people.members import list_members
from kontor.tenants.people.model import Role
from kontor.tenants.people.sessions import person_text

router = APIRouter(include_in_schema=False)
KindPath = Annotated[str, Path(max_length=40)]
_SAVED: Final = Text(de="Gespeichert.", en="Saved.")


@router.get("/company")
async def details(look: LookDep, saved: str = "") -> Response:
    """What the contracts name, and how long conversations are kept."""
    notices = (Notice("good", _SAVED(look.lang)),) if saved else ()
    return await look.show(await _details(look, look.member()), "company", notices=notices)


@router.post("/company")
async def save(request: Request, look: LookDep) -> Response:
    """How long conversations are kept."""
    member = look.member(*ADMINS)
    values = await sent(request)
    container = look.container
    try:
        async with container.database.uow(member.tenant) as tx:
            await edit_company(
                tx,
                member.tenant,
                {"retention_days": whole(values.get("retention_days", ""))},
                member.actor,
                expected=whole(values.get("revision", "")),
                catalogue=container.catalogue,
            )
    except DomainError as error:
        return await look.show(await _details(look, member, again(values, error, look.lang)), "company", status=409)
    return to("/company?saved=1")


@router.get("/contracts")
async def contracts(look: LookDep) -> Response:
    """What was agreed, in which version and since when."""
    member = look.member()
    found = await documents_of(look, member.tenant)
    return await look.show(company.ContractList(tuple(map(document_view, found))), "contracts")


@router.get("/contracts/{kind}.pdf")
async def contract_pdf(kind: KindPath, look: LookDep) -> Response:
    """The text as it is offered today, as PDF/A."""
    member = look.member()
    return pdf_response(await one_document(look, member.tenant, kind), look.lang)


@router.get("/contracts/{kind}")
async def contract(kind: KindPath, look: LookDep) -> Response:
    """The text as it was shown when it was accepted; one that was not is shown as it is offered."""
    member = look.member()
    async with look.container.database.uow(member.tenant) as tx:
        name = (await company_of(tx.vault, await tenant_of(tx, member.tenant))).legal_name
        try:
            accepted = await accepted_text(tx, member.tenant, look.container.paper, kind)
        except NotFound:
            accepted = None
    if accepted is None:
        shown = document_view(await one_document(look, member.tenant, kind))
    else:
        shown = await _as_accepted(look, member.tenant, accepted)
    return await look.show(DocumentPage(shown, name, "/contracts"))


@router.get("/audit")
async def audit(look: LookDep, page: Annotated[PageQuery, Depends(page_query)]) -> Response:
    """Who did what, the newest first; the whole chain is verified for each look."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        found = await read_chain(tx, member.tenant, before=before_of(page), limit=page.limit)
        verdict = await chain.verify(tx, member.tenant)
        people = {person_text(one.person): one.email for one in await list_members(tx, member.tenant)}
    shown, has_more = cut(found, page.limit)
    view = company.AuditLog(
        tuple(_entry(one, people.get(one.actor, one.actor)) for one in shown),
        verdict.is_intact,
        look.container.clock.now(),
        cursor_of(shown[-1]) if has_more else None,
    )
    return await look.show(view, "audit")


def _entry(one: EntryView, actor: str) -> company.AuditRow:
    return company.AuditRow(one.seq, one.at, actor, one.action, one.target, one.hash)


async def _details(look: Look, member: Member, form: Form = EMPTY) -> company.CompanyPage:
    container = look.container
    async with container.database.uow(member.tenant) as tx:
        row = await tenant_of(tx, member.tenant)
        found = await company_of(tx.vault, row)
    country = container.catalogue.country(found.country).name
    residency = container.catalogue.residency(found.residency)
    return company.CompanyPage(
        id=encode(PREFIXES["tenant"], member.tenant),
        legal_name=found.legal_name,
        address=(found.street, f"{found.postcode} {found.city}"),
        country=country,
        industry=container.catalogue.industry(found.industry).name,
        use_case=found.use_case,
        residency=residency.name,
        residency_promise=residency.promise,
        plan=container.prices.plans[found.plan].name,
        is_pilot=found.is_pilot,
        seats=found.seats,
        retention_days=found.retention_days,
        retentions=RETENTIONS,
        revision=row.revision,
        since=row.activated_at or row.created_at,
        may_edit=member.role in ADMINS,
        may_leave=member.role is Role.OWNER,
        form=form,
    )


async def _as_accepted(look: Look, tenant: TenantId, accepted: AcceptedText) -> DocumentView:
    """With its headings when the text is still the one that is offered, else plain, as it was stored."""
    offered = await documents_of(look, tenant, accepted.language)
    same = next((one for one in offered if one.document.sha256 == accepted.sha256), None)
    plain = Markup('<pre class="whitespace-pre-wrap">{}</pre>').format(escape(accepted.text))
    return DocumentView(
        kind=accepted.ref.kind,
        version=accepted.ref.version,
        title=accepted.ref.title(look.lang),
        summary=(),
        html=Markup(same.document.html) if same else plain,  # noqa: S704 - our own texts; facts are escaped in them
        sha256=accepted.sha256,
        must_accept=True,
        accepted_at=accepted.accepted_at,
    )
