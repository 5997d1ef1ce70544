"""Conversations: read by those they concern, answered by a human, handed back, erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from kontor.app.api.chat import origin_of
from kontor.app.api.ids import ConversationIdText, MessageIdText, PersonIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.http.deps import AdminCaller, Caller, DatabaseDep, VisitorDep, scoped
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.core.errors import NotFound
from kontor.tenants.people.model import Role
from kontor.tenants.talk import handover, inbox
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.model import Channel, InCharge, Outcome, Speaker

router = APIRouter(prefix="/api/v1", tags=["conversations"], route_class=IdempotentRoute)

ConversationPath = Annotated[ConversationIdText, Path()]


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever reads; `of` limits to the reader's own conversations."""

    caller: Caller
    of: Origin | None


async def get_reader(visitor: VisitorDep) -> Reader:
    """Owners, admins and keys with `read` see all conversations; other members and keys with `chat` their own."""
    can_read = visitor.key is not None and "read" in visitor.key.scopes
    caller = await scoped("read" if can_read else "chat")(visitor)
    sees_all = can_read or caller.role in {Role.OWNER, Role.ADMIN}
    return Reader(caller, None if sees_all else origin_of(caller))


ReaderDep = Annotated[Reader, Depends(get_reader)]


class ConversationOut(Answer):
    """One end user on one channel. `user` is the caller's own name for that end user."""

    id: ConversationIdText
    channel: Channel
    state: InCharge = Field(description="who answers: the assistant, or a human until it is handed back")
    user: str | None
    created_at: datetime
    last_at: datetime
    disclosed_at: datetime | None = Field(description="when the end user had been told that it is an AI")
    handed_over_at: datetime | None


class MessageOut(Answer):
    """What was said. `author` is the member who wrote as a human."""

    id: MessageIdText
    role: Speaker
    content: str
    outcome: Outcome
    author: PersonIdText | None
    input_tokens: int | None
    output_tokens: int | None
    at: datetime


class ReplyIn(Body):
    """A human's answer."""

    content: str = Field(min_length=1, max_length=100_000, examples=["Guten Tag, hier schreibt Frau Müller."])


@router.get("/conversations", responses=problems())
async def list_conversations(
    reader: ReaderDep,
    database: DatabaseDep,
    page: Annotated[PageQuery, Depends(page_query)],
    state: Annotated[InCharge | None, Query()] = None,
) -> Page[ConversationOut]:
    """The one that was active last comes first."""
    async with database.uow(reader.caller.tenant) as tx:
        found = await inbox.list_conversations(
            tx, reader.caller.tenant, of=reader.of, state=state, after=page.after, limit=page.limit
        )
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[ConversationOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].last_message) if has_more else None,
    )


@router.get("/conversations/{conversation_id}", responses=problems())
async def show_conversation(
    conversation_id: ConversationPath, reader: ReaderDep, database: DatabaseDep
) -> ConversationOut:
    """One conversation."""
    async with database.uow(reader.caller.tenant) as tx:
        found = await inbox.show(tx, reader.caller.tenant, conversation_id, of=reader.of)
    return ConversationOut.model_validate(found)


@router.get("/conversations/{conversation_id}/messages", responses=problems())
async def list_messages(
    conversation_id: ConversationPath,
    reader: ReaderDep,
    database: DatabaseDep,
    page: Annotated[PageQuery, Depends(page_query)],
    after: Annotated[MessageIdText | None, Query(description="only messages later than this one; for polling")] = None,
) -> Page[MessageOut]:
    """Oldest first."""
    async with database.uow(reader.caller.tenant) as tx:
        found = await inbox.messages(
            tx, reader.caller.tenant, conversation_id, of=reader.of, after=page.after or after, limit=page.limit
        )
    shown, has_more = cut(found, page.limit)
    return Page(
        items=[MessageOut.model_validate(one) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if has_more else None,
    )


@router.post("/conversations/{conversation_id}/replies", status_code=201, responses=problems(409))
async def reply(
    conversation_id: ConversationPath, body: ReplyIn, caller: AdminCaller, database: DatabaseDep
) -> MessageOut:
    """The end user gets this from a human."""
    if caller.person is None:
        raise NotFound
    async with database.uow(caller.tenant) as tx:
        row = await handover.reply(
            tx, caller.tenant, conversation_id, body.content, person=caller.person, by=caller.actor
        )
        return MessageOut.model_validate(await inbox.message_view(tx, row))


@router.post("/conversations/{conversation_id}/handback", status_code=204, responses=problems())
async def hand_back(conversation_id: ConversationPath, caller: AdminCaller, database: DatabaseDep) -> None:
    """The assistant answers again and learns what was said meanwhile. A second call changes nothing."""
    async with database.uow(caller.tenant) as tx:
        await handover.hand_back(tx, caller.tenant, conversation_id, by=caller.actor)


@router.delete("/conversations/{conversation_id}", status_code=204, responses=problems())
async def erase(conversation_id: ConversationPath, caller: AdminCaller, database: DatabaseDep) -> None:
    """The conversation is erased here; the assistant's own transcript goes with its volume."""
    async with database.uow(caller.tenant) as tx:
        await inbox.erase(tx, caller.tenant, conversation_id, by=caller.actor)
