"""Tenants whose assistant is a scripted HTTP server, and end users who write to it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import httpx
import orjson
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.i18n import Lang
from kontor.core.ids import ConversationId, InstanceId, TenantId, new_id
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.secrets import Secrets, seal_secrets
from kontor.tenants.sellers import load_sellers
from kontor.tenants.states import Phase
from kontor.tenants.talk import inbox
from kontor.tenants.talk.ask import Desk, Ended, Hold, Said, Turn
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.entry import Question
from kontor.tenants.talk.inbox import ConversationView, MessageView
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.pace import Patience
from support.tenants import a_tenant

TOKEN = "token-of-the-instance"
OPERATOR_NAME = "NextGen IT Solutions GmbH"
IMPATIENT = Patience(queued_s=2, waking_s=2, hold_every_s=0.1, poll_s=0.02)
ENDLESS = 1_000_000


class ScriptedInstance:
    """Answers as OpenClaw does, and keeps what it was asked. `plans` are played in order, then it echoes."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.hung_up = 0
        self.plans: deque[dict[str, Any]] = deque()
        self.may_go_on = False
        self.app = Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])

    def plan(self, **how: Any) -> None:
        """The next answer: `words`, `status`, `break_after` or `pause_after` so many words, `error_after`."""
        self.plans.append(how)

    @property
    def questions(self) -> list[str]:
        """The last message of each request."""
        return [body["messages"][-1]["content"] for body in self.asked]

    async def _chat(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        body = orjson.loads(await request.body())
        self.asked.append(body)
        how = self.plans.popleft() if self.plans else {}
        if "status" in how:
            return Response(b"{}", how["status"])
        words = how.get("words") or [f"Echo: {body['messages'][-1]['content']}"]
        return StreamingResponse(self._stream(words, how), media_type="text/event-stream")

    async def _stream(self, words: list[str], how: dict[str, Any]) -> AsyncIterator[bytes]:
        try:
            for number, word in enumerate(words):
                if number == how.get("break_after", ENDLESS):
                    raise RuntimeError("told to break off")
                if number == how.get("pause_after", ENDLESS):
                    while not self.may_go_on:  # noqa: ASYNC110 - it is set in another thread
                        await asyncio.sleep(0.01)
                yield _event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 7 + len(words)}
            yield _event({"choices": [], "usage": usage})
            yield b"data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.hung_up += 1
            raise


@dataclass
class Heard:
    """What an end user got of one answer."""

    text: str = ""
    holds: list[str] = field(default_factory=list)
    ended: Ended | None = None
    conversation: ConversationId | None = None


class Talk:
    """One tenant and the scripted instance of its assistant."""

    def __init__(self, database: Database, instance: ScriptedInstance, url: str) -> None:
        self.database = database
        self.instance = instance
        self.url = url
        self.desk = Desk(database, load_sellers("http://kontor.example"), httpx.AsyncClient(), IMPATIENT)
        self.api_key: UUID = new_id()

    async def open(self, **company: object) -> "Talk":
        """An active tenant whose assistant answers."""
        self.tenant = await a_tenant(self.database, active=True, **company)
        await ready_assistant(self.database, self.tenant, self.url)
        return self

    async def close(self) -> None:
        await self.desk.close()

    def lose_patience(self) -> None:
        """From now on a turn waits a moment only, for tests in which what it waits for does not come."""
        patience = replace(IMPATIENT, queued_s=0.1, waking_s=0.1)
        self.desk = Desk(self.database, self.desk.sellers, self.desk.http, patience)

    def turn(
        self,
        text: str,
        *,
        user: str | None = "kunde-1",
        conversation: ConversationId | None = None,
        lang: Lang | None = None,
        channel: Channel = Channel.API,
    ) -> Turn:
        """A message that is about to be sent."""
        origin = Origin(channel, self.api_key)
        actor = Actor("api_key", "key_test")
        return self.desk.ask(Question(self.tenant, origin, actor, text, user, conversation, lang))

    async def say(self, text: str, **how: Any) -> Heard:
        """The answer, read to its end as an edge does that sends every piece at once."""
        turn, heard = self.turn(text, **how), Heard()
        async for piece in turn.pieces():
            match piece:
                case Hold(why):
                    heard.holds.append(why)
                case Said(words):
                    if not heard.text:
                        await turn.sent()
                    heard.text += words
                case Ended():
                    heard.ended = piece
        heard.conversation = turn.conversation
        return heard

    async def messages(self, conversation: ConversationId | None) -> list[MessageView]:
        """All of a conversation."""
        assert conversation is not None
        async with self.database.uow(self.tenant) as tx:
            return await inbox.messages(tx, self.tenant, conversation, of=None, after=None, limit=1000)

    async def conversation(self, conversation: ConversationId | None) -> ConversationView:
        assert conversation is not None
        async with self.database.uow(self.tenant) as tx:
            return await inbox.show(tx, self.tenant, conversation, of=None)

    async def stands(self, *, phase: Phase, observed: Observed = Observed.STOPPED) -> None:
        """The instance is there now."""
        await set_instance(self.database, self.tenant, phase, observed)


async def ready_assistant(database: Database, tenant: TenantId, endpoint: str) -> None:
    """The tenant's assistant answers at `endpoint`."""
    instance = Instance(
        id=InstanceId(new_id()),
        site="test",
        release="test",
        phase=Phase.READY,
        observed=Observed.READY,
        endpoint=endpoint,
        sealed_for=tenant,
        memory_mb=512,
        due_at=database.clock.now(),
        created_at=database.clock.now(),
        ready_at=database.clock.now(),
    )
    await seal_secrets(database.vault, instance, tenant, Secrets(TOKEN, "kgw_test"))
    async with database.system_uow() as tx:
        tx.add(instance)
        await tx.flush()
        tx.add(Assignment(tenant_id=tenant, instance_id=instance.id, assigned_at=tx.now, ready_at=tx.now))


async def set_instance(database: Database, tenant: TenantId, phase: Phase, observed: Observed) -> None:
    """The tenant's instance is there now, whoever decided it."""
    async with database.system_uow() as tx:
        row = (
            await tx.scalars(
                select(Instance)
                .join(Assignment, Assignment.instance_id == Instance.id)
                .where(Assignment.tenant_id == tenant)
            )
        ).one()
        row.phase, row.observed = phase, observed


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
