"""Exports: asked for, watched, downloaded."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from kontor.app.api.ids import ExportIdText
from kontor.app.api.schemas import Answer
from kontor.app.container import Container
from kontor.app.http.deps import Caller, ContainerDep, DatabaseDep, scoped
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.audit import Actor
from kontor.core.errors import NotFound
from kontor.core.i18n import Lang
from kontor.core.ids import PREFIXES, ExportId, TenantId, encode
from kontor.tenants.leaving.errors import ExportExpired
from kontor.tenants.leaving.export import (
    ExportView,
    Stored,
    fetch_export,
    list_exports,
    read_export,
    request_export,
)
from kontor.tenants.leaving.model import ExportState
from kontor.tenants.people.model import Role

router = APIRouter(prefix="/api", tags=["exports"], route_class=IdempotentRoute)

ExportCaller = Annotated[Caller, Depends(scoped("export", Role.OWNER, Role.ADMIN))]


class ExportOut(Answer):
    """An export, on its way or finished."""

    id: ExportIdText
    state: ExportState
    progress: int = Field(description="0 to 100", examples=[40])
    step: str = Field(description="the file that is being written", examples=["conversations/openai-chat.json"])
    size_bytes: int | None
    sha256: str | None = Field(description="of the ZIP, hexadecimal")
    error: str | None = Field(description="why it failed, as a sentence")
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="until when it can be downloaded")


@router.post("/v1/exports", status_code=202, responses=problems(409))
async def create_export(caller: ExportCaller, database: DatabaseDep, response: Response) -> ExportOut:
    """Everything of the company in one ZIP is on its way; while one is, it is the one that is answered."""
    async with database.uow(caller.tenant) as tx:
        view = await request_export(tx, caller.tenant, caller.actor)
    response.headers["location"] = f"/api/v1/exports/{encode(PREFIXES['export'], view.id)}"
    return _out(view, caller.lang)


router.add_api_route(
    "/v1/export", create_export, methods=["POST"], status_code=202, responses=problems(409), name="create_export_v1"
)
router.add_api_route(
    "/export", create_export, methods=["POST"], status_code=202, responses=problems(409), name="create_export_short"
)


@router.get("/v1/exports", responses=problems())
async def read_exports(
    caller: ExportCaller, database: DatabaseDep, page: Annotated[PageQuery, Depends(page_query)]
) -> Page[ExportOut]:
    """The newest first."""
    async with database.uow(caller.tenant) as tx:
        after = ExportId(page.after) if page.after else None
        found = await list_exports(tx, caller.tenant, after=after, limit=page.limit)
    shown, has_more = cut(found, page.limit)
    return Page[ExportOut](
        items=[_out(one, caller.lang) for one in shown], next_cursor=encode_cursor(shown[-1].id) if has_more else None
    )


@router.get("/v1/exports/{export_id}", responses=problems())
async def read_one_export(
    export_id: Annotated[ExportIdText, Path()], caller: ExportCaller, database: DatabaseDep
) -> ExportOut:
    """How far it is."""
    async with database.uow(caller.tenant) as tx:
        return _out(await read_export(tx, caller.tenant, export_id), caller.lang)


@router.get(
    "/v1/exports/{export_id}/download",
    response_class=StreamingResponse,
    responses={
        **problems(409, 410),
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def download_export(
    export_id: Annotated[ExportIdText, Path()], caller: ExportCaller, container: ContainerDep
) -> StreamingResponse:
    """The ZIP, decrypted on the way. 409 while it is not finished, 410 when it has expired."""
    return await download(container, caller.tenant, export_id, caller.actor)


async def download(container: Container, tenant: TenantId, export: ExportId, by: Actor) -> StreamingResponse:
    """The ZIP as it is read from the store. Raises NotFound, ExportNotReady, ExportExpired."""
    async with container.database.uow(tenant) as tx:
        stored = await fetch_export(tx, tenant, export, by)
    chunks = container.files.read(tenant, stored.file)
    try:
        first = await anext(chunks)  # a file that is not there is told by the status
    except NotFound as error:
        raise ExportExpired from error
    return StreamingResponse(_after(first, chunks), media_type="application/zip", headers=_headers(stored))


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _headers(stored: Stored) -> dict[str, str]:
    digest = base64.b64encode(bytes.fromhex(stored.sha256)).decode()
    day = stored.created_at.astimezone(UTC).date()
    return {
        "content-length": str(stored.size_bytes),
        "content-disposition": f'attachment; filename="kontor-export-{day}.zip"',
        "repr-digest": f"sha-256=:{digest}:",  # RFC 9530
        "cache-control": "no-store",
    }


def _out(view: ExportView, lang: Lang) -> ExportOut:
    return ExportOut(
        id=view.id,
        state=view.state,
        progress=view.progress,
        step=view.step,
        size_bytes=view.size_bytes,
        sha256=view.sha256,
        error=view.failure(lang) if view.failure else None,
        created_at=view.created_at,
        finished_at=view.finished_at,
        expires_at=view.expires_at,
    )
