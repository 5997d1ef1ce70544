"""Conversations and their messages as the tenant's people and programs read them, and erasing one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from kontor.core.audit import Actor, record
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, ConversationId, MessageId, PersonId, TenantId, encode
from kontor.tenants.talk.conversation import Origin, label_of, read, text_of
from kontor.tenants.talk.model import Channel, Conversation, InCharge, Message, Outcome, Speaker


@dataclass(frozen=True, slots=True)
class ConversationView:
    """`user` is the caller's name for its end user; `last_message` the id by which the list is in order.

    `source` is the API key or the person who asks.
    """

    id: ConversationId
    channel: Channel
    source: UUID
    state: InCharge
    user: str | None
    created_at: datetime
    last_at: datetime
    last_message: UUID
    disclosed_at: datetime | None
    handed_over_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """`author` is the person of a human's message; tokens are known of the assistant's."""

    id: MessageId
    role: Speaker
    content: str
    outcome: Outcome
    author: PersonId | None
    input_tokens: int | None
    output_tokens: int | None
    at: datetime


async def list_conversations(
    tx: Tx, tenant: TenantId, *, of: Origin | None, state: InCharge | None, after: UUID | None, limit: int
) -> list[ConversationView]:
    """The one that was active last comes first; `of` limits to one origin. One more than `limit` when there are more.

    `after` is the `last_message` of the page before.
    """
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant)
        .order_by(Conversation.last_message.desc())
        .limit(limit + 1)
    )
    if of is not None:
        query = query.where(Conversation.channel == of.channel, Conversation.source == of.source)
    if state is not None:
        query = query.where(Conversation.state == state)
    if after is not None:
        query = query.where(Conversation.last_message < after)
    return [await _view(tx, row) for row in await tx.scalars(query)]


async def show(tx: Tx, tenant: TenantId, conversation: ConversationId, *, of: Origin | None) -> ConversationView:
    """One conversation. Raises NotFound, also when it is not `of` this origin."""
    return await _view(tx, await _mine(tx, tenant, conversation, of))


async def messages(
    tx: Tx, tenant: TenantId, conversation: ConversationId, *, of: Origin | None, after: UUID | None, limit: int
) -> list[MessageView]:
    """Oldest first, those later than the message `after`; one more than `limit` when there are more.

    Raises NotFound, also when the conversation is not `of` this origin or `after` is none of its messages.
    """
    row = await _mine(tx, tenant, conversation, of)
    mine = (Message.tenant_id == tenant, Message.conversation_id == row.id)
    query = select(Message).where(*mine).order_by(Message.seq).limit(limit + 1)
    if after is not None:
        seen = await tx.scalar(select(Message.seq).where(*mine, Message.id == after))
        if seen is None:
            raise NotFound
        query = query.where(Message.seq > seen)
    return [await message_view(tx, one) for one in await tx.scalars(query)]


async def last_messages(
    tx: Tx, tenant: TenantId, conversation: ConversationId, *, of: Origin | None, limit: int
) -> list[MessageView]:
    """The newest `limit` ones, the oldest of them first. Raises NotFound, also when it is not `of` this origin."""
    row = await _mine(tx, tenant, conversation, of)
    query = (
        select(Message)
        .where(Message.tenant_id == tenant, Message.conversation_id == row.id)
        .order_by(Message.seq.desc())
        .limit(limit)
    )
    return [await message_view(tx, one) for one in reversed((await tx.scalars(query)).all())]


async def last_words(
    tx: Tx, tenant: TenantId, conversations: Sequence[ConversationId]
) -> dict[ConversationId, MessageView]:
    """What end user, assistant or human said last in each; Kontor's notices do not count."""
    query = (
        select(Message)
        .ext(distinct_on(Message.conversation_id))
        .where(
            Message.tenant_id == tenant,
            Message.conversation_id.in_(conversations),
            Message.role != Speaker.NOTICE,
        )
        .order_by(Message.conversation_id, Message.seq.desc())
    )
    rows = (await tx.scalars(query)).all()
    return {ConversationId(row.conversation_id): await message_view(tx, row) for row in rows}


async def count_waiting(tx: Tx, tenant: TenantId) -> int:
    """Conversations that a human is in charge of and whose end user spoke last."""
    last = (
        select(Message.role)
        .where(
            Message.tenant_id == tenant,
            Message.conversation_id == Conversation.id,
            Message.role.in_([Speaker.USER, Speaker.HUMAN]),
        )
        .order_by(Message.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    with_human = (Conversation.tenant_id == tenant, Conversation.state == InCharge.HUMAN)
    query = select(func.count()).select_from(Conversation).where(*with_human, last == Speaker.USER)
    return await tx.scalar(query) or 0


async def erase(tx: Tx, tenant: TenantId, conversation: ConversationId, *, by: Actor) -> None:
    """The conversation and its messages are gone from our tables. Raises NotFound.

    The assistant's own transcript stays on its volume until that is erased.
    """
    row = await read(tx, tenant, conversation, lock=True)
    await tx.execute(delete(Conversation).where(Conversation.tenant_id == tenant, Conversation.id == row.id))
    await record(tx, by, "conversation.erased", target=encode(PREFIXES["conversation"], conversation))


async def message_view(tx: Tx, row: Message) -> MessageView:
    """A message in the clear. Raises KeyDestroyed."""
    return MessageView(
        id=MessageId(row.id),
        role=Speaker(row.role),
        content=await text_of(tx, row),
        outcome=Outcome(row.outcome),
        author=PersonId(row.author) if row.author else None,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        at=row.at,
    )


async def _mine(tx: Tx, tenant: TenantId, conversation: ConversationId, of: Origin | None) -> Conversation:
    row = await read(tx, tenant, conversation)
    if of is not None and (row.channel, row.source) != (of.channel, of.source):
        raise NotFound
    return row


async def _view(tx: Tx, row: Conversation) -> ConversationView:
    return ConversationView(
        id=ConversationId(row.id),
        channel=Channel(row.channel),
        source=row.source,
        state=InCharge(row.state),
        user=await label_of(tx, row),
        created_at=row.created_at,
        last_at=row.last_at,
        last_message=row.last_message,
        disclosed_at=row.disclosed_at,
        handed_over_at=row.handed_over_at,
    )
