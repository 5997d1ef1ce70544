"""The content log: switched and read by owners, its standing told to every member.

Sessions only: no scope of an API key opens what people have written.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import StreamingResponse
from pydantic import Field

from kontor.app.api.ids import UsageEventIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.container import Container
from kontor.app.http.deps import ContainerDep, DatabaseDep, MemberCaller, OwnerCaller
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.billing.metering.content import entries, switch
from kontor.billing.metering.content.notice import NOTICE
from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.i18n import Lang
from kontor.core.ids import TenantId, UsageEventId

router = APIRouter(prefix="/api/v1/content-log", tags=["content log"], route_class=IdempotentRoute)

EntryPath = Annotated[UsageEventIdText, Path()]


class ContentLogOut(Answer):
    """Whether what people write is logged, and for how long."""

    is_on: bool
    retention_days: int = Field(examples=[switch.DEFAULT_DAYS])
    since: datetime | None = Field(description="when it was last switched or changed; null when it never was on")
    entries: int = Field(description="calls that are in it now")
    notice: str = Field(description="what it means for everybody who writes, and for the company")


class ContentLogIn(Body):
    """How it should be. Switching on needs `confirm`: the notice has been read."""

    is_on: bool = Field(examples=[True])
    retention_days: int = Field(switch.DEFAULT_DAYS, ge=switch.DAYS[0], le=switch.DAYS[-1])
    confirm: bool = Field(default=False, examples=[True])


class EntryLineOut(Answer):
    """One call to a model. Sizes are those before cutting; `is_truncated` when less is kept."""

    id: UsageEventIdText
    at: datetime
    model: str = Field(examples=["assistant"])
    dialect: str = Field(examples=["chat"])
    status: int | None = Field(description="what the caller was answered; null: nothing")
    request_bytes: int
    answer_bytes: int
    is_truncated: bool


class EntryOut(EntryLineOut):
    """With what was said, as it passed: JSON, or the events of a stream."""

    request: str
    answer: str


class DeletedOut(Answer):
    """How many calls are gone."""

    entries: int


@router.get("", responses=problems())
async def show_content_log(caller: MemberCaller, database: DatabaseDep) -> ContentLogOut:
    """For every member: who writes may know whether it is logged."""
    return await _standing(database, caller.tenant, caller.lang)


@router.put("", responses=problems())
async def switch_content_log(body: ContentLogIn, caller: OwnerCaller, database: DatabaseDep) -> ContentLogOut:
    """On from a second later, or off; what is logged already stays until its time is over, or is deleted."""
    async with database.uow(caller.tenant) as tx:
        if body.is_on:
            days = body.retention_days
            await switch.switch_on(tx, caller.tenant, days, caller.actor, is_confirmed=body.confirm)
        else:
            await switch.switch_off(tx, caller.tenant, caller.actor)
    return await _standing(database, caller.tenant, caller.lang)


@router.get("/entries", responses=problems())
async def list_content_log(
    caller: OwnerCaller, database: DatabaseDep, page: Annotated[PageQuery, Depends(page_query)]
) -> Page[EntryLineOut]:
    """The newest first, without what was said."""
    before = UsageEventId(page.after) if page.after else None
    async with database.uow(caller.tenant) as tx:
        found = await entries.list_entries(tx, caller.tenant, before=before, limit=page.limit)
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[EntryLineOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if has_more else None,
    )


@router.delete("/entries", responses=problems())
async def delete_content_log(caller: OwnerCaller, database: DatabaseDep) -> DeletedOut:
    """Nothing that was logged so far is left. Whether it goes on is not changed."""
    async with database.uow(caller.tenant) as tx:
        return DeletedOut(entries=await entries.delete_entries(tx, caller.tenant, caller.actor))


@router.get("/entries/{entry_id}", responses=problems())
async def read_content_log(entry_id: EntryPath, caller: OwnerCaller, database: DatabaseDep) -> EntryOut:
    """What was said in one call. The audit log tells who read it."""
    async with database.uow(caller.tenant) as tx:
        found = await entries.read_entry(tx, caller.tenant, entry_id, caller.actor)
    line = EntryLineOut.model_validate(found.line).model_dump()
    return EntryOut(**line | {"id": found.line.id}, request=found.request, answer=found.answer)


@router.get(
    "/download",
    response_class=StreamingResponse,
    responses={
        **problems(),
        200: {"content": {"application/x-ndjson": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def download_content_log(caller: OwnerCaller, container: ContainerDep) -> StreamingResponse:
    """All of it as JSON lines, the oldest first. The audit log tells who took it."""
    return await download(container, caller.tenant, caller.actor)


async def download(container: Container, tenant: TenantId, by: Actor) -> StreamingResponse:
    """The log as it is opened, row by row; the audit log has it before the first."""
    async with container.database.uow(tenant) as tx:
        await entries.note_reading(tx, tenant, by, "downloaded")
    until = container.clock.now()
    headers = {
        "content-disposition": f'attachment; filename="content-log-{until.date()}.jsonl"',
        "cache-control": "no-store",
    }
    lines = entries.lines(container.database, tenant, until)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


async def _standing(database: Database, tenant: TenantId, lang: Lang) -> ContentLogOut:
    async with database.uow(tenant) as tx:
        found = await switch.standing(tx, tenant)
    return ContentLogOut(
        is_on=found.is_on,
        retention_days=found.retention_days,
        since=found.since,
        entries=found.entries,
        notice=NOTICE(lang),
    )
