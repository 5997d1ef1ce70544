"""A tenant's conversations, read page by page and written in the forms of an export. No transaction stays open.

The roles are those of the OpenAI chat format: what an end user said is `user`, everything else that was said to it
is `assistant`, with a `name` where it was not the assistant itself (a human colleague, or a notice of Kontor's).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import func, select, tuple_

from kontor.core import sheets
from kontor.core.db import Database, Tx
from kontor.core.ids import PREFIXES, TenantId, encode
from kontor.tenants.talk.conversation import label_of, text_of
from kontor.tenants.talk.model import Conversation, Message

PAGE: Final = 500
_OWN_ROLES: Final = ("user", "assistant")
CSV_COLUMNS: Final = (
    "conversation",
    "channel",
    "end user",
    "message",
    "time",
    "role",
    "text",
    "outcome",
    "input tokens",
    "output tokens",
)


@dataclass(frozen=True, slots=True)
class Said:
    """One message in the clear, with what is known of its conversation."""

    conversation: UUID
    channel: str
    label: str | None
    begun_at: datetime
    message: UUID
    seq: int
    role: str
    content: str
    outcome: str
    input_tokens: int | None
    output_tokens: int | None
    at: datetime


class Transcript:
    """All that was said in a tenant's conversations until `until`, as often as it is asked for."""

    def __init__(self, database: Database, tenant: TenantId, until: datetime) -> None:
        self._database = database
        self._tenant = tenant
        self.until = until

    async def count(self) -> int:
        """How many messages there are."""
        async with self._database.uow(self._tenant) as tx:
            query = select(func.count()).select_from(Message)
            return await tx.scalar(query.where(Message.tenant_id == self._tenant, Message.at <= self.until)) or 0

    async def said(self) -> AsyncIterator[Said]:
        """Conversation by conversation, each in the order of its messages. Raises KeyDestroyed."""
        after: tuple[UUID, int] | None = None
        while True:
            page = await self._page(after)
            for one in page:
                yield one
            if len(page) < PAGE:
                return
            after = (page[-1].conversation, page[-1].seq)

    async def _page(self, after: tuple[UUID, int] | None) -> list[Said]:
        query = (
            select(Conversation, Message)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.tenant_id == self._tenant, Message.at <= self.until)
            .order_by(Message.conversation_id, Message.seq)
            .limit(PAGE)
        )
        if after is not None:
            query = query.where(tuple_(Message.conversation_id, Message.seq) > after)
        async with self._database.uow(self._tenant) as tx:
            return [await _said(tx, conversation, message) for conversation, message in await tx.execute(query)]


async def _said(tx: Tx, conversation: Conversation, row: Message) -> Said:
    return Said(
        conversation=conversation.id,
        channel=conversation.channel,
        label=await label_of(tx, conversation),
        begun_at=conversation.created_at,
        message=row.id,
        seq=row.seq,
        role=row.role,
        content=await text_of(tx, row),
        outcome=row.outcome,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        at=row.at,
    )


async def as_json(said: AsyncIterator[Said]) -> AsyncIterator[str]:
    """An array of `{id, channel, user, created_at, messages: [{role, content, name?, id, created_at}]}`."""
    current: UUID | None = None
    async for one in said:
        if one.conversation != current:
            yield "[\n" if current is None else "\n]},\n"
            current = one.conversation
            head = {
                "id": _conversation(one),
                "channel": one.channel,
                "user": one.label,
                "created_at": _instant(one.begun_at),
            }
            yield _json(head)[:-1] + ',"messages":[\n'
        else:
            yield ",\n"
        yield _json({**_message(one), "id": _id(one), "created_at": _instant(one.at)})
    yield "[]\n" if current is None else "\n]}\n]\n"


async def as_json_lines(said: AsyncIterator[Said]) -> AsyncIterator[str]:
    """One conversation a line, `{"messages": [{role, content, name?}]}` and nothing else: what tools take."""
    current: UUID | None = None
    async for one in said:
        if one.conversation == current:
            yield ","
        else:
            yield '{"messages":[' if current is None else ']}\n{"messages":['
            current = one.conversation
        yield _json(_message(one))
    if current is not None:
        yield "]}\n"


async def as_csv(said: AsyncIterator[Said]) -> AsyncIterator[str]:
    """One message a row, with a header."""
    yield sheets.row(CSV_COLUMNS)
    async for one in said:
        yield sheets.row(
            (
                _conversation(one),
                one.channel,
                one.label,
                _id(one),
                _instant(one.at),
                one.role,
                one.content,
                one.outcome,
                one.input_tokens,
                one.output_tokens,
            )
        )


def _message(one: Said) -> dict[str, str]:
    message = {"role": "user" if one.role == "user" else "assistant", "content": one.content}
    return message if one.role in _OWN_ROLES else {**message, "name": one.role}


def _conversation(one: Said) -> str:
    return encode(PREFIXES["conversation"], one.conversation)


def _id(one: Said) -> str:
    return encode(PREFIXES["message"], one.message)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
