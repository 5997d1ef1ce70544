"""Conversations: found again by who asks, one turn at a time, every message sealed and in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import ConversationId, MessageId, TenantId, new_id
from kontor.tenants.provisioning.talk import Tokens
from kontor.tenants.talk.errors import OtherUser
from kontor.tenants.talk.model import Channel, Conversation, Message, Outcome, Speaker

# A turn whose process died frees its conversation after this long; a living one renews its lease meanwhile.
LEASE: Final = timedelta(seconds=15)
RENEW_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks: a program by its API key, or a person in the portal."""

    channel: Channel
    source: UUID


async def find(
    tx: Tx, tenant: TenantId, origin: Origin, *, user: str | None, known: ConversationId | None
) -> Conversation:
    """The conversation, locked: the `known` one, else the one of this origin and `user`, else a new one.

    Raises NotFound when `known` is not the origin's, OtherUser when `user` is not the known one's.
    """
    if known is not None:
        row = await read(tx, tenant, known, lock=True)
        if (row.channel, row.source) != (origin.channel, origin.source):
            raise NotFound
        if user is not None and row.end_user != _end_user(tx, tenant, user):
            raise OtherUser
        return row
    conversation = ConversationId(new_id(tx.now))
    end_user = _end_user(tx, tenant, user if user is not None else f"\0{conversation}")
    label = await tx.vault.seal(tenant, _label(conversation), user) if user is not None else None
    await tx.execute(
        insert(Conversation)
        .values(
            id=conversation,
            tenant_id=tenant,
            channel=origin.channel,
            source=origin.source,
            end_user=end_user,
            label=label,
            last_message=conversation,
            created_at=tx.now,
            last_at=tx.now,
        )
        .on_conflict_do_nothing()
    )
    query = select(Conversation).where(
        Conversation.tenant_id == tenant,
        Conversation.channel == origin.channel,
        Conversation.source == origin.source,
        Conversation.end_user == end_user,
    )
    return (await tx.scalars(query.with_for_update().execution_options(populate_existing=True))).one()


async def read(tx: Tx, tenant: TenantId, conversation: ConversationId, *, lock: bool = False) -> Conversation:
    """The row, locked until the transaction ends if asked. Raises NotFound."""
    query = (
        select(Conversation)
        .where(Conversation.tenant_id == tenant, Conversation.id == conversation)
        .execution_options(populate_existing=lock)
    )
    row = await tx.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound
    return row


def claim(tx: Tx, conversation: Conversation, turn: UUID) -> bool:
    """The locked conversation belongs to this turn for LEASE; False while another one holds it."""
    if conversation.turn is not None and conversation.turn_until is not None and conversation.turn_until > tx.now:
        return False
    conversation.turn, conversation.turn_until = turn, tx.now + LEASE
    return True


async def renew(tx: Tx, tenant: TenantId, conversation: ConversationId, turn: UUID) -> None:
    """The turn goes on; nothing changes when it lost the conversation."""
    await tx.execute(
        update(Conversation)
        .where(Conversation.tenant_id == tenant, Conversation.id == conversation, Conversation.turn == turn)
        .values(turn_until=tx.now + LEASE)
        .execution_options(synchronize_session=False)
    )


def release(conversation: Conversation, turn: UUID) -> None:
    """The next turn may begin."""
    if conversation.turn == turn:
        conversation.turn = conversation.turn_until = None


async def was_told(tx: Tx, conversation: Conversation) -> bool:
    """Whether the end user has been sent the disclosure on this channel; a person in the portal is one end user."""
    if conversation.disclosed_at is not None:
        return True
    if conversation.channel != Channel.PORTAL:
        return False
    told = select(Conversation.id).where(
        Conversation.tenant_id == conversation.tenant_id,
        Conversation.channel == conversation.channel,
        Conversation.source == conversation.source,
        Conversation.disclosed_at.is_not(None),
    )
    return await tx.scalar(told.limit(1)) is not None


async def remember(
    tx: Tx,
    conversation: Conversation,
    speaker: Speaker,
    content: str,
    outcome: Outcome,
    *,
    message: MessageId | None = None,
    author: UUID | None = None,
    used: Tokens | None = None,
) -> Message:
    """The message is the conversation's last one, sealed. The conversation's row is locked."""
    identity = message or MessageId(new_id(tx.now))
    conversation.last_seq += 1
    conversation.last_message, conversation.last_at = identity, tx.now
    row = Message(
        id=identity,
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        seq=conversation.last_seq,
        role=speaker,
        content=await tx.vault.seal(conversation.tenant_id, _content(identity), content),
        author=author,
        outcome=outcome,
        input_tokens=used.input_tokens if used else None,
        output_tokens=used.output_tokens if used else None,
        at=tx.now,
    )
    tx.add(row)
    await tx.flush()
    return row


async def said_by_humans_and_users(tx: Tx, conversation: Conversation, since: int) -> list[tuple[Speaker, str]]:
    """What end user and humans wrote from message number `since` on, in order."""
    return [(Speaker(row.role), await text_of(tx, row)) for row in await _rows(tx, conversation, since)]


async def unheard(tx: Tx, conversation: Conversation) -> list[str]:
    """What humans wrote that the end user of an API has not been handed yet; the portal shows it by itself."""
    if conversation.channel != Channel.API:
        return []
    rows = await _rows(tx, conversation, conversation.heard_seq + 1)
    return [await text_of(tx, row) for row in rows if row.role == Speaker.HUMAN]


async def text_of(tx: Tx, message: Message) -> str:
    """What was said. Raises KeyDestroyed."""
    return await tx.vault.open_text(message.tenant_id, _content(message.id), message.content)


async def label_of(tx: Tx, conversation: Conversation) -> str | None:
    """The caller's name for its end user. Raises KeyDestroyed."""
    if conversation.label is None:
        return None
    return await tx.vault.open_text(conversation.tenant_id, _label(conversation.id), conversation.label)


async def _rows(tx: Tx, conversation: Conversation, since: int) -> Sequence[Message]:
    query = (
        select(Message)
        .where(
            Message.tenant_id == conversation.tenant_id,
            Message.conversation_id == conversation.id,
            Message.seq >= since,
            Message.role.in_([Speaker.USER, Speaker.HUMAN]),
        )
        .order_by(Message.seq)
    )
    return (await tx.scalars(query)).all()


def _end_user(tx: Tx, tenant: TenantId, user: str) -> bytes:
    return tx.vault.blind_index(f"chat|{tenant}|{user}")


def _content(message: UUID) -> str:
    return f"messages.content:{message}"


def _label(conversation: UUID) -> str:
    return f"conversations.label:{conversation}"
