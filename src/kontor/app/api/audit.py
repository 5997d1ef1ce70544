"""The company's audit log: who did what, from where, in a chain that shows when something was changed afterwards."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from kontor.app.api.schemas import Answer
from kontor.app.http.deps import AdminCaller, DatabaseDep
from kontor.app.http.errors import problems
from kontor.app.http.pages import InvalidCursor, Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.audit_log import EntryView, read_chain

router = APIRouter(prefix="/api/v1", tags=["audit"])
MOST: Final = 2**63


class EntryOut(Answer):
    """One act. `hash` covers the entry and the one before it."""

    seq: int
    at: datetime
    actor_kind: str = Field(examples=["person"])
    actor: str = Field(examples=["prs_01h455vb4pex5vsknk084sn02q"])
    action: str = Field(examples=["assistant.edited"])
    target: str | None
    data: dict[str, object]
    personal: dict[str, object] = Field(examples=[{"address": "192.0.2.1"}])
    hash: str


@router.get("/audit", responses=problems())
async def list_audit(
    caller: AdminCaller, database: DatabaseDep, page: Annotated[PageQuery, Depends(page_query)]
) -> Page[EntryOut]:
    """What was done to this company and its assistant, the newest first."""
    async with database.uow(caller.tenant) as tx:
        found = await read_chain(tx, caller.tenant, before=before_of(page), limit=page.limit)
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[EntryOut.model_validate(one) for one in shown],
        next_cursor=cursor_of(shown[-1]) if has_more else None,
    )


def before_of(page: PageQuery) -> int | None:
    """The number below which the page begins. Raises InvalidCursor."""
    before = page.after.int if page.after else None
    if before is not None and before >= MOST:
        raise InvalidCursor
    return before


def cursor_of(last: EntryView) -> str:
    """For the page after this entry: a cursor holds 128 bits; a number is as good as an id."""
    return encode_cursor(UUID(int=last.seq))
