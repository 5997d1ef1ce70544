"""Contracts: what follows from the company's choices, to read, to download and to accept."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from kontor.app.api.schemas import Answer, Body
from kontor.app.http.deps import ContainerDep, LangDep, MemberCaller, NotAllowed, OwnerCaller
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.core.errors import NotFound
from kontor.core.i18n import Lang
from kontor.tenants.contracts.acceptance import Offered, Signature, accept, accepted_text, offered
from kontor.tenants.contracts.pdf import to_pdf

router = APIRouter(prefix="/api/v1/contracts", tags=["contracts"], route_class=IdempotentRoute)

KindPath = Annotated[str, Path(max_length=40)]


class DocumentOut(Answer):
    """One document. `sha256` is the digest of `text` in UTF-8: it is what gets accepted."""

    kind: str
    version: str
    title: str
    language: Lang
    sha256: str
    summary: list[str]
    must_accept: bool
    accepted_at: datetime | None


class DocumentTextOut(DocumentOut):
    """One document with its text."""

    text: str
    html: str


class SignatureIn(Body):
    """This version, in this language, with this digest of its text."""

    kind: str = Field(max_length=40, examples=["terms"])
    version: str = Field(max_length=20, examples=["2026-11"])
    language: Lang
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    )


class SignaturesIn(Body):
    """The documents that are accepted."""

    documents: list[SignatureIn] = Field(min_length=1, max_length=30)


class AcceptedOut(Answer):
    """Whether any document is still open; with the last one the assistant is set up."""

    is_complete: bool


class AcceptedTextOut(Answer):
    """A document as it was shown when it was accepted."""

    kind: str
    version: str
    title: str
    language: Lang
    text: str
    sha256: str
    accepted_at: datetime


@router.get("", responses=problems())
async def list_documents(
    caller: MemberCaller, container: ContainerDep, lang: LangDep, language: Annotated[Lang | None, Query()] = None
) -> list[DocumentOut]:
    """All documents of the company's contract, in the order of reading."""
    chosen = language or lang
    async with container.database.uow(caller.tenant) as tx:
        found = await offered(tx, caller.tenant, container.paper, chosen)
    return [_out(one, chosen) for one in found]


@router.post("/acceptances", status_code=201, responses=problems(409))
async def accept_documents(body: SignaturesIn, caller: OwnerCaller, container: ContainerDep) -> AcceptedOut:
    """These documents are accepted by the caller, now, from its address."""
    if caller.person is None:
        raise NotAllowed
    signatures = [Signature(one.kind, one.version, one.language, one.sha256) for one in body.documents]
    async with container.database.uow(caller.tenant) as tx:
        complete = await accept(tx, caller.tenant, container.paper, signatures, person=caller.person, by=caller.actor)
    return AcceptedOut(is_complete=complete)


@router.get("/{kind}", responses=problems())
async def read_document(
    kind: KindPath,
    caller: MemberCaller,
    container: ContainerDep,
    lang: LangDep,
    language: Annotated[Lang | None, Query()] = None,
) -> DocumentTextOut:
    """The text as it is offered today."""
    chosen = language or lang
    one = await _one(container, caller, kind, chosen)
    return DocumentTextOut(**_out(one, chosen).model_dump(), text=one.document.text, html=one.document.html)


@router.get("/{kind}/pdf", responses=problems(), response_class=Response)
async def download_document(
    kind: KindPath,
    caller: MemberCaller,
    container: ContainerDep,
    lang: LangDep,
    language: Annotated[Lang | None, Query()] = None,
) -> Response:
    """The same as PDF/A."""
    one = await _one(container, caller, kind, language or lang)
    name = f"{one.ref.kind}-{one.ref.version}-{language or lang}.pdf"
    return Response(
        to_pdf(one.document),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/{kind}/accepted", responses=problems())
async def read_accepted(
    kind: KindPath, caller: MemberCaller, container: ContainerDep, lang: LangDep
) -> AcceptedTextOut:
    """The newest accepted version, as it was shown then."""
    async with container.database.uow(caller.tenant) as tx:
        found = await accepted_text(tx, caller.tenant, container.paper, kind)
    return AcceptedTextOut(
        kind=found.ref.kind,
        version=found.ref.version,
        title=found.ref.title(lang),
        language=found.language,
        text=found.text,
        sha256=found.sha256,
        accepted_at=found.accepted_at,
    )


async def _one(container: ContainerDep, caller: MemberCaller, kind: str, lang: Lang) -> Offered:
    async with container.database.uow(caller.tenant) as tx:
        found = await offered(tx, caller.tenant, container.paper, lang)
    for one in found:
        if one.ref.kind == kind:
            return one
    raise NotFound


def _out(one: Offered, lang: Lang) -> DocumentOut:
    return DocumentOut(
        kind=one.ref.kind,
        version=one.ref.version,
        title=one.document.title,
        language=lang,
        sha256=one.document.sha256,
        summary=list(one.document.summary),
        must_accept=one.ref.is_to_be_accepted,
        accepted_at=one.accepted_at,
    )
