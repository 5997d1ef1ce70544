"""Accepting the contracts: each document exactly as it was shown; the last one activates the tenant.

Nothing of the customer is processed before (product page, "Contracts"): the chat edge and the provisioning ask for an
active tenant, and a tenant becomes active here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from kontor.core.audit import Actor, record
from kontor.core.clock import day_of
from kontor.core.db import Tx
from kontor.core.errors import DomainError, Kind, NotFound
from kontor.core.i18n import Lang, Text, as_lang
from kontor.core.ids import PREFIXES, AcceptanceId, PersonId, TenantId, encode, new_id
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.contracts.facts import Address, ContractFacts, Customer
from kontor.tenants.contracts.model import Acceptance
from kontor.tenants.contracts.render import RenderedDocument, render
from kontor.tenants.contracts.required import DocumentRef, required_documents
from kontor.tenants.lifecycle.activate import activate
from kontor.tenants.lifecycle.company import customer_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import Tenant
from kontor.tenants.ports import Deployments, Plans
from kontor.tenants.sellers import DEFAULT_SELLER, Sellers

_YOU: Final = Text(de="Ihr Unternehmen", en="Your company")


class TextChanged(DomainError):
    """The text that was read is not the one that would be accepted now."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "contracts.text_changed",
            Text(
                de="Der Vertragstext hat sich inzwischen geändert. Bitte lesen Sie ihn noch einmal.",
                en="The text of the contract has changed meanwhile. Please read it once more.",
            ),
        )


class NotRequired(DomainError):
    """The document is none of this customer's."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            Kind.INVALID,
            "contracts.not_required",
            Text(
                de=f"Das Dokument „{kind}“ gehört nicht zu Ihrem Vertrag. Welche es sind, steht in der Liste.",
                en=f"The document '{kind}' is not part of your contract. The list says which ones are.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Paper:
    """What texts are made of: data, sellers, plans, reachable model providers."""

    catalogue: Catalogue
    sellers: Sellers
    plans: Plans
    deployments: Deployments


@dataclass(frozen=True, slots=True)
class Offered:
    """A document of this customer's contract; `accepted_at` is None while it is open."""

    ref: DocumentRef
    document: RenderedDocument
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What the customer says: this version, in this language, with this digest of its text."""

    kind: str
    version: str
    language: Lang
    sha256: str


@dataclass(frozen=True, slots=True)
class AcceptedText:
    """An accepted document as it was shown."""

    ref: DocumentRef
    language: Lang
    text: str
    sha256: str
    accepted_at: datetime


async def offered(tx: Tx, tenant: TenantId, paper: Paper, lang: Lang) -> list[Offered]:
    """All documents of the tenant in the order of reading. Raises NotFound."""
    row = await tenant_of(tx, tenant)
    facts = await facts_of(tx, row, paper, day_of(tx.now))
    accepted = {(one.kind, one.version): one for one in await _accepted(tx, tenant)}
    result = []
    for ref in _required(row, paper):
        known = accepted.get((ref.kind, ref.version))
        result.append(
            Offered(ref, render(ref, lang, facts, catalogue=paper.catalogue), known.accepted_at if known else None)
        )
    return result


async def accept(
    tx: Tx, tenant: TenantId, paper: Paper, signatures: Sequence[Signature], *, person: PersonId, by: Actor
) -> bool:
    """These documents are accepted; true when none is open any more, and then the tenant is active.

    Accepting again changes nothing. Raises NotRequired, TextChanged, NotFound.
    """
    row = await tenant_of(tx, tenant, lock=True)
    required = {ref.kind: ref for ref in _required(row, paper) if ref.is_to_be_accepted}
    done = {(one.kind, one.version) for one in await _accepted(tx, tenant)}
    for signature in signatures:
        ref = required.get(signature.kind)
        if ref is None:
            raise NotRequired(signature.kind)
        if ref.version != signature.version:
            raise TextChanged
        if (ref.kind, ref.version) in done:
            continue
        document = await _as_shown(tx, row, paper, ref, signature)
        await _store(tx, tenant, document, person, by)
        done.add((ref.kind, ref.version))
    if all((ref.kind, ref.version) in done for ref in required.values()):
        await activate(tx, tenant, by)
        return True
    return False


async def accepted_text(tx: Tx, tenant: TenantId, paper: Paper, kind: str) -> AcceptedText:
    """The newest accepted version of a document, as it was shown. Raises NotFound."""
    row = await tx.scalar(
        select(Acceptance)
        .where(Acceptance.tenant_id == tenant, Acceptance.kind == kind)
        .order_by(Acceptance.accepted_at.desc())
        .limit(1)
    )
    known = paper.catalogue.kinds.get(kind)
    if row is None or known is None:
        raise NotFound
    text = await tx.vault.open_text(tenant, f"acceptances.text:{row.id}", row.text)
    ref = DocumentRef(kind, row.version, known.duty, known.title)
    return AcceptedText(ref, as_lang(row.language) or "de", text, row.sha256, row.accepted_at)


def specimen(paper: Paper, kind: str, lang: Lang, day: date) -> RenderedDocument:
    """The text as a company in Germany gets it on the smallest plan, for whoever looks before signing up."""
    known = paper.catalogue.kinds[kind]
    blank = "…"
    facts = ContractFacts(
        seller=paper.sellers.of(DEFAULT_SELLER),
        customer=Customer(_YOU(lang), Address(blank, blank, blank, "DE"), "general", blank, "eu"),
        plan=paper.plans.terms("starter", 1, "DE", is_pilot=False),
        sub_processors=paper.deployments.reachable("eu"),
        date=day,
    )
    ref = DocumentRef(known.key, known.versions[-1], known.duty, known.title)
    return render(ref, lang, facts, catalogue=paper.catalogue)


async def facts_of(tx: Tx, row: Tenant, paper: Paper, day: date) -> ContractFacts:
    """What fills this tenant's texts on a day."""
    return ContractFacts(
        seller=paper.sellers.of(row.seller),
        customer=await customer_of(tx.vault, row),
        plan=paper.plans.terms(row.plan, row.seats, row.country, is_pilot=row.is_pilot),
        sub_processors=paper.deployments.reachable(row.residency),
        date=day,
    )


def _required(row: Tenant, paper: Paper) -> tuple[DocumentRef, ...]:
    return required_documents(row.country, row.industry, row.plan, catalogue=paper.catalogue)


async def _accepted(tx: Tx, tenant: TenantId) -> Sequence[Acceptance]:
    return (await tx.scalars(select(Acceptance).where(Acceptance.tenant_id == tenant))).all()


async def _as_shown(tx: Tx, row: Tenant, paper: Paper, ref: DocumentRef, signature: Signature) -> RenderedDocument:
    """The text that the customer read: today's, or yesterday's when it was read before midnight."""
    today = day_of(tx.now)
    for day in (today, today - timedelta(days=1)):
        facts = await facts_of(tx, row, paper, day)
        document = render(ref, signature.language, facts, catalogue=paper.catalogue)
        if document.sha256 == signature.sha256:
            return document
    raise TextChanged


async def _store(tx: Tx, tenant: TenantId, document: RenderedDocument, person: PersonId, by: Actor) -> None:
    acceptance = AcceptanceId(new_id())
    tx.add(
        Acceptance(
            id=acceptance,
            tenant_id=tenant,
            person_id=person,
            kind=document.ref.kind,
            version=document.ref.version,
            language=document.lang,
            sha256=document.sha256,
            text=await tx.vault.seal(tenant, f"acceptances.text:{acceptance}", document.text),
            address=await tx.vault.seal(tenant, f"acceptances.address:{acceptance}", by.address or ""),
            accepted_at=tx.now,
        )
    )
    await record(
        tx,
        by,
        "contract.accepted",
        tenant=tenant,
        target=encode(PREFIXES["acceptance"], acceptance),
        data={"kind": document.ref.kind, "version": document.ref.version, "sha256": document.sha256},
    )
