"""Taking all data along, and leaving for good."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import func, select
from starlette.responses import Response

from kontor.app.api.exports import download
from kontor.app.api.ids import ErasureIdText, ExportIdText
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.portal.frame import ADMINS, EMPTY, Form
from kontor.app.portal.routes.page import Look, LookDep, Member, again, sent, to
from kontor.app.portal.views import company
from kontor.core.errors import DomainError
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, ExportId, encode
from kontor.tenants.leaving.erase import Progress, progress_of, request_erasure
from kontor.tenants.leaving.export import ExportView, list_exports, request_export
from kontor.tenants.leaving.model import ExportState
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import reset
from kontor.tenants.people.members import list_members
from kontor.tenants.people.model import Role
from kontor.tenants.talk.model import Conversation

router = APIRouter(include_in_schema=False)

_MEASURED: Final = {
    "rows_left": Text(de="Zeilen in der Datenbank", en="Rows in the database"),
    "files_left": Text(de="Dateien", en="Files"),
    "instances_left": Text(de="Prozesse und Ordner des Assistenten", en="Processes and folders of the assistant"),
    "data_keys_left": Text(de="Datenschlüssel", en="Data keys"),
}


@router.get("/exports")
async def exports(look: LookDep, page: Annotated[PageQuery, Depends(page_query)], part: str = "") -> Response:
    """All exports, the newest first; `part=list` is the list alone, asked for while one runs."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        after = ExportId(page.after) if page.after else None
        found = await list_exports(tx, member.tenant, after=after, limit=page.limit)
    shown, has_more = cut(found, page.limit)
    cursor = encode_cursor(shown[-1].id) if has_more else None
    shape = company.ExportsPart if part == "list" else company.Exports
    return await look.show(shape(tuple(_row(look, one) for one in shown), next_cursor=cursor), "exports")


@router.post("/exports")
async def ask(look: LookDep) -> Response:
    """An export is on its way; a second click finds the one that runs."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await request_export(tx, member.tenant, member.actor)
    return to("/exports")


@router.get("/exports/{export_id}/file")
async def file(export_id: Annotated[ExportIdText, Path()], look: LookDep) -> Response:
    """The ZIP."""
    member = look.member(*ADMINS)
    return await download(look.container, member.tenant, export_id, member.actor)


@router.get("/leave")
async def leave(look: LookDep) -> Response:
    """What would be erased."""
    return await look.show(await _leave(look, look.member(Role.OWNER)), "company")


@router.post("/leave")
async def erase(request: Request, look: LookDep) -> Response:
    """Everything is being erased, when the owner has typed the company's name and its own password."""
    member = look.member(Role.OWNER)
    values = await sent(request)
    container = look.container
    try:
        await reset.prove(container.database, container.passwords, member.person, values.get("password", ""))
        async with container.database.uow(member.tenant) as tx:
            receipt = await request_erasure(
                tx, member.tenant, member.actor, container.keys, confirm=values.get("name", "")
            )
    except DomainError as error:
        return await look.show(await _leave(look, member, again(values, error, look.lang)), "company", status=422)
    return to(f"/receipts/{encode(PREFIXES['erasure'], receipt.erasure)}?token={receipt.token}")


@router.get("/receipts/{erasure_id}")
async def receipt(
    erasure_id: Annotated[ErasureIdText, Path()],
    look: LookDep,
    token: Annotated[str, Query(max_length=200)] = "",
    part: str = "",
) -> Response:
    """How far an erasure is, and at its end what was measured: for whoever has the address."""
    async with look.container.database.system_uow() as tx:
        found = await progress_of(tx, erasure_id, token)
    shape = company.ReceiptPart if part == "body" else company.Receipt
    identity = encode(PREFIXES["erasure"], erasure_id)
    page = shape(
        id=identity,
        state="done" if found.done_at else "running",
        asked_at=found.requested_at,
        finished_at=found.done_at,
        proofs=_proofs(found),
        path=f"/receipts/{identity}?token={token}",
    )
    return await replace(look, login=None).show(page)  # whose account may be going with it


async def _leave(look: Look, member: Member, form: Form = EMPTY) -> company.Leave:
    async with look.container.database.uow(member.tenant) as tx:
        profile = await profile_of(tx.vault, await tenant_of(tx, member.tenant))
        exported = await list_exports(tx, member.tenant, after=None, limit=100)
        people = await list_members(tx, member.tenant)
        talks = select(func.count()).select_from(Conversation).where(Conversation.tenant_id == member.tenant)
        conversations = await tx.scalar(talks) or 0
    has_export = any(one.state is ExportState.READY for one in exported)
    return company.Leave(profile.legal_name, has_export, conversations, len(people), form)


def _row(look: Look, one: ExportView) -> company.ExportRow:
    return company.ExportRow(
        id=encode(PREFIXES["export"], one.id),
        state=one.state.value,
        percent=one.progress,
        asked_at=one.created_at,
        ready_at=one.finished_at,
        expires_at=one.expires_at,
        size_bytes=one.size_bytes,
        sha256=one.sha256,
        problem=one.failure(look.lang) if one.failure else None,
    )


def _proofs(found: Progress) -> tuple[company.Proof, ...]:
    """What is left, as it was measured; nothing before the end."""
    if found.proof is None:
        return ()
    measured = dict(found.proof)
    rows = measured["rows_left"]
    assert isinstance(rows, dict)  # noqa: S101 - by table, as the eraser writes it
    counts = {**measured, "rows_left": sum(rows.values())}
    return tuple(company.Proof(label, int(str(counts[name]))) for name, label in _MEASURED.items())
