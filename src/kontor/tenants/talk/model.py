"""Tables of conversations and messages, sealed under the tenant's data key.

Invariants:

- A conversation is one end user on one channel, told apart by `channel`, `source` (the API key or person who asks)
  and `end_user` (HMAC of the caller's name for its end user).
- `last_seq` numbers a conversation's messages from 1 without gaps; `seq` is their order, whatever their ids are.
- One turn at a time: `turn` is the one that is running, `turn_until` when it counts as dead unless it was renewed.
- `disclosed_at` is when the disclosure had been sent, not when it was decided to send it.
- `unbriefed_from` is the first message that the assistant has not heard of because a human was in charge.
- `heard_seq` is up to which message the end user of an API has been handed what a human wrote.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, tenant_table


class Channel(StrEnum):
    """Where a conversation takes place."""

    API = "api"
    PORTAL = "portal"


class InCharge(StrEnum):
    """Who answers the end user."""

    ASSISTANT = "assistant"
    HUMAN = "human"


class Speaker(StrEnum):
    """Who said it; a notice is Kontor's own."""

    USER = "user"
    ASSISTANT = "assistant"
    HUMAN = "human"
    NOTICE = "notice"


class Outcome(StrEnum):
    """How it ended. Of an end user's message: how its answer ended; `unanswered` until then, and after a crash."""

    UNANSWERED = "unanswered"
    COMPLETE = "complete"
    CUT = "cut"
    FAILED = "failed"


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Conversation(Base):
    """One end user on one channel. `id` is what the assistant gets as its `user`; it says nothing about the person."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        UniqueConstraint("tenant_id", "channel", "source", "end_user"),
        Index("ix_conversations_recent", "tenant_id", "last_message"),
        Index("ix_conversations_age", "tenant_id", "last_at"),
        Index("ix_conversations_human", "tenant_id", postgresql_where=text("state = 'human'")),
        _one_of("state", InCharge),
        _one_of("channel", Channel),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    channel: Mapped[str]
    source: Mapped[UUID]
    end_user: Mapped[bytes] = mapped_column(
        info=personal(sealed=False, why="HMAC of the caller's name for its end user; finds the conversation again")
    )
    label: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    state: Mapped[str] = mapped_column(default=InCharge.ASSISTANT)
    last_seq: Mapped[int] = mapped_column(default=0)
    last_message: Mapped[UUID]
    turn: Mapped[UUID | None]
    turn_until: Mapped[datetime | None]
    disclosed_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    is_acknowledged: Mapped[bool] = mapped_column(default=False)
    heard_seq: Mapped[int] = mapped_column(default=0)
    unbriefed_from: Mapped[int | None]
    created_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Message(Base):
    """What was said: by the end user, the assistant, a human colleague, or Kontor itself (notice)."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("tenant_id", "conversation_id", "seq"),
        _one_of("role", Speaker),
        _one_of("outcome", Outcome),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    conversation_id: Mapped[UUID]
    seq: Mapped[int]
    role: Mapped[str]
    content: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    author: Mapped[UUID | None]
    outcome: Mapped[str]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    at: Mapped[datetime]
