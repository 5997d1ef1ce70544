"""The content log in the portal: everybody sees whether it is on, owners switch, read, take and delete it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from kontor.app.api.content_log import download
from kontor.app.api.ids import UsageEventIdText
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.portal.frame import EMPTY, Form
from kontor.app.portal.routes.page import Look, LookDep, Member, again, sent, to, whole
from kontor.app.portal.views import content_log
from kontor.billing.metering.content import entries, switch
from kontor.billing.metering.content.notice import NOTICE
from kontor.core.errors import DomainError
from kontor.core.ids import PREFIXES, UsageEventId, encode
from kontor.tenants.people.model import Role

router = APIRouter(prefix="/content-log", include_in_schema=False, route_class=IdempotentRoute)
Pages = Annotated[PageQuery, Depends(page_query)]
DAYS: Final = (1, 3, 7, 14, 30)


@router.get("")
async def standing(look: LookDep, page: Pages) -> Response:
    """Whether it is on, and for owners the calls in it, the newest first."""
    return await look.show(await _page(look, look.member(), page), "content-log")


@router.post("")
async def switch_on(request: Request, look: LookDep, page: Pages) -> Response:
    """It is on, for so many days."""
    member = look.member(Role.OWNER)
    values = await sent(request)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            days, is_confirmed = whole(values.get("retention_days", "")), values.get("confirm") == "yes"
            await switch.switch_on(tx, member.tenant, days, member.actor, is_confirmed=is_confirmed)
    except DomainError as error:
        form = again(values, error, look.lang)
        return await look.show(await _page(look, member, page, form), "content-log", status=422)
    return to("/content-log")


@router.post("/off")
async def switch_off(look: LookDep) -> Response:
    """Nothing is logged any more."""
    member = look.member(Role.OWNER)
    async with look.container.database.uow(member.tenant) as tx:
        await switch.switch_off(tx, member.tenant, member.actor)
    return to("/content-log")


@router.post("/delete")
async def delete(look: LookDep) -> Response:
    """Nothing that was logged so far is left."""
    member = look.member(Role.OWNER)
    async with look.container.database.uow(member.tenant) as tx:
        await entries.delete_entries(tx, member.tenant, member.actor)
    return to("/content-log")


@router.get("/download")
async def take(look: LookDep) -> Response:
    """All of it as JSON lines."""
    member = look.member(Role.OWNER)
    return await download(look.container, member.tenant, member.actor)


@router.get("/{entry_id}")
async def read(entry_id: Annotated[UsageEventIdText, Path()], look: LookDep) -> Response:
    """What was said in one call; the audit log tells it."""
    member = look.member(Role.OWNER)
    async with look.container.database.uow(member.tenant) as tx:
        found = await entries.read_entry(tx, member.tenant, entry_id, member.actor)
    return await look.show(content_log.CallPage(_row(found.line), found.request, found.answer), "content-log")


async def _page(look: Look, member: Member, page: PageQuery, form: Form = EMPTY) -> content_log.ContentLogPage:
    is_owner, found = member.role is Role.OWNER, []
    async with look.container.database.uow(member.tenant) as tx:
        now = await switch.standing(tx, member.tenant)
        if is_owner:
            before = UsageEventId(page.after) if page.after else None
            found = await entries.list_entries(tx, member.tenant, before=before, limit=page.limit)
    shown, has_more = cut(found, page.limit)
    days = tuple(sorted({*DAYS, now.retention_days}))
    return content_log.ContentLogPage(
        NOTICE,
        now.is_on,
        now.retention_days,
        now.since,
        now.entries,
        days,
        is_owner,
        tuple(map(_row, shown)),
        form,
        encode_cursor(shown[-1].id) if has_more else None,
    )


def _row(line: entries.EntryLine) -> content_log.CallRow:
    return content_log.CallRow(
        encode(PREFIXES["usage_event"], line.id),
        line.at,
        line.model,
        line.status,
        line.request_bytes,
        line.answer_bytes,
        line.is_truncated,
    )
