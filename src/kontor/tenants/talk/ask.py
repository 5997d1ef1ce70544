"""One turn: a message is taken, answered by whoever is in charge, and the answer is stored.

Owns the course of a turn and its waiting. Everything lasting happens in two short units of work, before and after
the call to the instance; none is open while it speaks. A turn that dies with its process leaves its message stored
as unanswered, and its conversation free after conversation.LEASE.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx
import structlog
from prometheus_client import Counter

from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.ids import PREFIXES, ConversationId, MessageId, encode
from kontor.tenants.lifecycle.hibernate import wake
from kontor.tenants.provisioning import talk
from kontor.tenants.provisioning.talk import Delta, End, NotAnswering, NotReached, Part, Tokens
from kontor.tenants.provisioning.target import Target, target
from kontor.tenants.sellers import Sellers
from kontor.tenants.talk.conversation import RENEW_EVERY_S, renew
from kontor.tenants.talk.entry import Entry, Question, enter, new_turn
from kontor.tenants.talk.errors import AnotherTurnRuns, NotAwake
from kontor.tenants.talk.model import Outcome
from kontor.tenants.talk.pace import Patience, Wait, paced
from kontor.tenants.talk.settle import mark_sent, settle
from kontor.tenants.talk.standing import Standing, standing

log = structlog.get_logger(__name__)

TURNS: Final = Counter("kontor_turns_total", "Messages of end users by how their answer ended", ["outcome"])
NOTHING_USED: Final = Tokens(0, 0)
_SETTLE_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to say yet; the caller may be told that it is not forgotten."""

    why: Literal["queued", "waking", "thinking"]


@dataclass(frozen=True, slots=True)
class Said:
    """The next piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is complete and stored. `reason` is OpenAI's `finish_reason`; None: the instance told no tokens."""

    reason: str
    used: Tokens | None


Piece = Hold | Said | Ended


class Desk:
    """Where messages of end users arrive. Shared by all requests of a process."""

    def __init__(
        self, database: Database, sellers: Sellers, http: httpx.AsyncClient, patience: Patience | None = None
    ) -> None:
        self.database = database
        self.sellers = sellers
        self.http = http
        self.patience = patience or Patience()

    def ask(self, question: Question) -> "Turn":
        """A turn that begins when its pieces are asked for."""
        return Turn(self, question)

    async def close(self) -> None:
        """Connections to instances are closed."""
        await self.http.aclose()


@dataclass(slots=True)
class _Answer:
    text: list[str] = field(default_factory=list)
    used: Tokens | None = None
    reason: str = "stop"
    was_sent: bool = False


class Turn:
    """One message and its answer. `id` becomes the answer's; `conversation` is known from the first piece on."""

    def __init__(self, desk: Desk, question: Question) -> None:
        self.id = MessageId(new_turn())
        self._desk = desk
        self._question = question
        self._entry: Entry | None = None

    @property
    def conversation(self) -> ConversationId | None:
        """None until the message was taken."""
        return self._entry.conversation if self._entry else self._question.conversation

    async def sent(self) -> None:
        """The caller has sent the first Said: what stood before the answer counts as told. Again: nothing."""
        entry = self._entry
        if entry is None or not entry.preface.text:
            return
        async with self._desk.database.uow(self._question.tenant) as tx:
            await mark_sent(tx, self._question.tenant, entry)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Hold..., Said..., Ended. Closing it hangs up: what was said is stored as cut.

        Raises what `enter` raises, AnotherTurnRuns, NotAwake, NotAnswering, Cut.
        """
        async with aclosing(self._enter()) as holds:
            async for hold in holds:
                yield hold
        entry = self._entry
        assert entry is not None  # noqa: S101 - _enter returns with it or raises
        before = entry.preface.text
        if entry.fixed is not None:
            TURNS.labels("notice").inc()
            text = "\n\n".join(part for part in (before, entry.fixed) if part)
            if text:
                yield Said(text)
            yield Ended("stop", NOTHING_USED)
            return
        answer = _Answer()
        async with aclosing(self._answered(entry, answer)) as pieces:
            async for piece in pieces:
                if before and isinstance(piece, Said):
                    yield Said(f"{before}\n\n")
                    before = ""
                yield piece
        if before:
            yield Said(before)
        yield Ended(answer.reason, answer.used)

    async def _enter(self) -> AsyncGenerator[Hold, None]:
        """Until the message was taken."""
        wait = Wait(self._desk.patience, self._desk.patience.queued_s)
        is_first_try = True
        while True:
            async with self._desk.database.uow(self._question.tenant) as tx:
                self._entry = await enter(tx, self._desk.sellers, self._question, self.id, is_first_try=is_first_try)
            if self._entry is not None:
                return
            if wait.is_over:
                raise AnotherTurnRuns
            if wait.is_due:
                yield Hold("queued")
            await wait.a_moment()
            is_first_try = False

    async def _answered(self, entry: Entry, answer: _Answer) -> AsyncGenerator[Piece, None]:
        """The assistant's answer as it comes; stored, however it ends, before this ends."""
        renewing = asyncio.create_task(self._renew(entry.conversation))
        outcome = Outcome.FAILED
        try:
            aim: Target | None = None
            async with aclosing(self._awake()) as waits:
                async for found in waits:
                    if isinstance(found, Hold):
                        yield found
                    else:
                        aim = found
            parts = self._spoken_to(aim, entry)
            answer.was_sent = True
            async with aclosing(paced(parts, self._desk.patience.hold_every_s)) as paced_parts:
                async for part in paced_parts:
                    match part:
                        case None:
                            yield Hold("thinking")
                        case Delta(text):
                            answer.text.append(text)
                            yield Said(text)
                        case Tokens():
                            answer.used = part
                        case End(reason):
                            answer.reason = reason
            outcome = Outcome.COMPLETE
        except NotReached:
            answer.was_sent = False
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = Outcome.CUT
            raise
        finally:
            renewing.cancel()
            TURNS.labels(outcome).inc()
            await self._settle(entry, answer, outcome)

    def _spoken_to(self, aim: Target | None, entry: Entry) -> AsyncIterator[Part]:
        """The answer as the instance gives it. Raises NotAnswering when there is none to speak to."""
        if aim is None or aim.endpoint is None or aim.token is None:
            raise NotAnswering
        return talk.turn(
            self._desk.http,
            endpoint=aim.endpoint,
            token=aim.token,
            conversation=encode(PREFIXES["conversation"], entry.conversation),
            text=entry.prompt,
        )

    async def _awake(self) -> AsyncGenerator[Hold | Target, None]:
        """Holds while the assistant starts, then where it is. Raises NotAwake, and what `standing` raises."""
        wait = Wait(self._desk.patience, self._desk.patience.waking_s)
        while True:
            async with self._desk.database.uow(self._question.tenant) as tx:
                aim = await target(tx, self._question.tenant)
                stands = standing(aim)
                if stands is Standing.ASLEEP:
                    await wake(tx, self._question.tenant, self._question.actor)
            if stands is Standing.AWAKE:
                yield aim
                return
            if stands is Standing.SUSPENDED:
                raise NotAnswering
            if wait.is_over:
                raise NotAwake
            if wait.is_due:
                yield Hold("waking")
            await wait.a_moment()

    async def _renew(self, conversation: ConversationId) -> None:
        """Until cancelled: the turn keeps its conversation."""
        tenant = self._question.tenant
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            with suppress(Unavailable):
                async with self._desk.database.uow(tenant) as tx:
                    await renew(tx, tenant, conversation, self.id)

    async def _settle(self, entry: Entry, answer: _Answer, outcome: Outcome) -> None:
        """Stored, also when the database is away for a moment. Raises Unavailable when it stays away."""
        tenant = self._question.tenant
        for tries_left in range(_SETTLE_TRIES, -1, -1):
            try:
                async with self._desk.database.uow(tenant) as tx:
                    await settle(
                        tx,
                        tenant,
                        entry,
                        self.id,
                        answer="".join(answer.text),
                        outcome=outcome,
                        used=answer.used,
                        was_sent=answer.was_sent,
                    )
            except Unavailable:
                if not tries_left:
                    log.exception("turn.not_stored", conversation=str(entry.conversation))
                    raise
                await asyncio.sleep(0.5)
            else:
                return
