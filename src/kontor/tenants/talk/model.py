"""Tables of conversations and messages, sealed under the tenant's data key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, tenant_table


class Conversation(Base):
    """One end user on one channel. `id` is what the assistant gets as its `user`; it says nothing about the person."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        UniqueConstraint("tenant_id", "channel", "source", "end_user"),
        Index("ix_conversations_recent", "tenant_id", "last_at", "id"),
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
    state: Mapped[str]
    disclosed_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Message(Base):
    """What was said: by the end user, the assistant, a human colleague, or Kontor itself (notice)."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"], ondelete="CASCADE"
        ),
        Index("ix_messages_conversation", "tenant_id", "conversation_id", "id"),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    conversation_id: Mapped[UUID]
    role: Mapped[str]
    content: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    author: Mapped[UUID | None]
    outcome: Mapped[str]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    at: Mapped[datetime]
