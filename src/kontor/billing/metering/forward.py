"""One call: written down, sent to the provider, passed on to the caller, and closed with what it cost.

Every try at the provider is a call of its own with an id minted before it; the close is written before the caller can
see the end of its answer. A caller that goes away is not a reason to lose the count: what is still coming is read up
to a bound. Nothing of a prompt or an answer is kept, logged or written down.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

import orjson
import structlog
from prometheus_client import Counter, Histogram

from kontor.billing.metering.answers import JSON, SSE, cut_event
from kontor.billing.metering.caller import Caller
from kontor.billing.metering.connection import NoAnswer, NotConnected, Slow, UpstreamError
from kontor.billing.metering.journal import Journal, Ticket
from kontor.billing.metering.keys import Key
from kontor.billing.metering.providers import Provider
from kontor.billing.metering.record import Call
from kontor.billing.metering.rewrite import Asked, for_provider
from kontor.billing.metering.sse import EventTooLong, Reader
from kontor.billing.metering.upstream import Response, Upstream
from kontor.billing.metering.usage import NOTHING, Outcome, Tokens, estimate, read_usage
from kontor.core.clock import Clock
from kontor.core.ids import TenantId, UsageEventId, new_id

log = structlog.get_logger(__name__)

DRAIN_S: Final = 15.0
DRAIN_BYTES: Final = 4 * 1024 * 1024
MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024
PAUSES_S: Final = (0.3, 1.0, 2.5)
"""Between tries before a first byte: short outages pass unseen. OpenClaw 2026.9.4 given 503 tries 8 times in 82 s."""
_PATH: Final = "/chat/completions"
_ERROR: Final = 300  # a redirect is not followed: it would carry the prompt to somebody else
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_CALLERS_FAULT: Final = frozenset({400, 413, 422})
_MONEY_WORDS: Final = (b"insufficient_quota", b"quota", b"billing", b"credit")

CALLS: Final = Counter("kontor_gateway_calls_total", "Calls to providers by outcome", ["provider", "outcome"])
LATENCY: Final = Histogram(
    "kontor_gateway_call_seconds",
    "From the request to the end of the answer",
    ["form"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)


class ProviderFailed(Exception):
    """No try brought an answer that could be passed on; nothing was sent to the caller."""


@dataclass(slots=True)
class _Try:
    """A call under way: its ticket, when it began, and whether its close is written."""

    ticket: Ticket
    began: float
    first_ms: int | None = None
    is_closed: bool = False


class Forwarder:
    """Sends chats to one provider."""

    def __init__(self, provider: Provider, upstream: Upstream, journal: Journal, clock: Clock) -> None:
        self.provider = provider
        self._upstream = upstream
        self._journal = journal
        self._clock = clock
        self._headers = {"content-type": "application/json", **provider.headers}

    async def chat(self, key: Key, tenant: TenantId, body: bytes, asked: Asked, caller: Caller) -> None:
        """The caller has its answer and the journal its numbers. Raises JournalFull, ProviderFailed."""
        sent = for_provider(body, asked, self.provider.model, refuses=self.provider.refuses)
        for pause_s in (*PAUSES_S, None):
            made = self._open(key, tenant, asked, len(sent))
            try:
                if await self._try(made, sent, asked, caller):
                    return
            finally:
                if not made.is_closed:  # cancelled: the process stops
                    self._close(made, estimate(len(sent), 0), Outcome.DISCONNECTED)
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        raise ProviderFailed

    async def _try(self, made: _Try, sent: bytes, asked: Asked, caller: Caller) -> bool:
        """One call; False when it failed, cost nothing, and another one may succeed."""
        accept = "text/event-stream" if asked.is_stream else "application/json"
        try:
            response = await self._upstream.post(_PATH, {**self._headers, "accept": accept}, sent)
        except NotConnected as error:
            made.is_closed = True
            self._journal.void(made.ticket)
            self._failed("not_connected", error)
            return False
        except NoAnswer as error:
            self._close(made, estimate(len(sent), 0), Outcome.FAILED)
            self._failed("no_answer", error)
            raise ProviderFailed from error  # it may have cost something: not again
        except Slow as error:
            self._close(made, estimate(len(sent), 0), Outcome.TIMEOUT)
            self._failed("timeout", error)
            raise ProviderFailed from error
        async with response:
            if response.status >= _ERROR:
                return await self._error(made, response, caller)
            if response.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
                await self._stream(made, response, asked, caller, len(sent))
                return True
            return await self._whole(made, response, caller, len(sent))

    async def _error(self, made: _Try, response: Response, caller: Caller) -> bool:
        """The provider refused: passed on only when the request is at fault and the text is harmless."""
        try:
            body = await response.body(DRAIN_BYTES)
        except UpstreamError:
            body = b""
        self._close(made, NOTHING, Outcome.REFUSED)
        lowered = body.lower()
        if response.status in _CALLERS_FAULT and not any(word in lowered for word in _MONEY_WORDS):
            await caller.answer(body, status=_BAD_REQUEST, kind=response.headers.get(b"content-type", JSON))
            return True
        self._failed("status", None, status=response.status)
        if response.status >= _SERVER_ERROR:
            return False
        raise ProviderFailed

    async def _whole(self, made: _Try, response: Response, caller: Caller, sent_bytes: int) -> bool:
        try:
            body = await response.body(MOST_ANSWER_BYTES)
        except UpstreamError as error:
            self._close(made, estimate(sent_bytes, 0), Outcome.CUT)
            self._failed("cut", error)
            raise ProviderFailed from error
        self._close(made, _reported(body) or estimate(sent_bytes, len(body)), Outcome.ANSWERED)
        kind = response.headers.get(b"content-type", JSON)
        await caller.answer(body, status=response.status, kind=kind, x_request_id=str(made.ticket.call.id))
        return True

    async def _stream(self, made: _Try, response: Response, asked: Asked, caller: Caller, sent_bytes: int) -> None:
        reader = Reader(strips_usage=not asked.wants_usage)
        outcome = Outcome.DISCONNECTED
        await caller.begin(200, SSE, x_request_id=str(made.ticket.call.id))
        caller.watch()
        try:
            outcome = await self._relay(made, response, reader, caller, sent_bytes)
        except (UpstreamError, EventTooLong) as error:
            outcome = Outcome.CUT
            self._failed("cut", error)
        finally:
            if not made.is_closed:
                self._close(made, _counted(reader, sent_bytes), outcome)
            caller.unwatch()
        if outcome is Outcome.DISCONNECTED:
            return
        if outcome is Outcome.CUT:
            await caller.write(cut_event(caller.language))
        await caller.end()

    async def _relay(self, made: _Try, response: Response, reader: Reader, caller: Caller, sent_bytes: int) -> Outcome:
        while data := await response.chunk():
            if made.first_ms is None:
                made.first_ms = round((monotonic() - made.began) * 1000)
            passed = reader.feed(data)
            if caller.is_gone:
                await _drain(response, reader)
                return Outcome.DISCONNECTED
            if reader.is_done and not made.is_closed:  # before the caller can see the end
                self._close(made, _counted(reader, sent_bytes), Outcome.ANSWERED)
            if passed:
                await caller.write(passed)
            if reader.is_done:
                await caller.end()
                await _drain(response, reader)
                return Outcome.ANSWERED
        rest = reader.finish()
        self._close(made, _counted(reader, sent_bytes), Outcome.ANSWERED)
        if rest:
            await caller.write(rest)
        return Outcome.ANSWERED

    def _open(self, key: Key, tenant: TenantId, asked: Asked, sent_bytes: int) -> _Try:
        call = Call(
            id=UsageEventId(new_id(self._clock.now())),
            tenant=tenant,
            instance=key.instance,
            key=key.id,
            asked=asked.model,
            model=self.provider.model,
            provider=self.provider.name,
            tokens=estimate(sent_bytes, 0),
        )
        return _Try(self._journal.open(call), monotonic())

    def _close(self, made: _Try, tokens: Tokens, outcome: Outcome) -> None:
        made.is_closed = True
        took_s = monotonic() - made.began
        self._journal.close(made.ticket, made.ticket.call.ended(tokens, outcome, round(took_s * 1000), made.first_ms))
        CALLS.labels(self.provider.name, outcome.value).inc()
        LATENCY.labels("whole" if made.first_ms is None else "stream").observe(took_s)

    def _failed(self, how: str, error: Exception | None, **more: object) -> None:
        log.warning(
            "provider.failed", provider=self.provider.name, how=how, error=repr(error) if error else None, **more
        )


async def _drain(response: Response, reader: Reader) -> None:
    """Reads on without passing on, to a bound, for the usage that comes last and to keep the connection."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            while left > 0 and (data := await response.chunk()):
                left -= len(data)
                reader.feed(data)
        reader.finish()
    except (TimeoutError, UpstreamError, EventTooLong):
        return


def _counted(reader: Reader, sent_bytes: int) -> Tokens:
    return reader.tokens or estimate(sent_bytes, reader.text_bytes)


def _reported(body: bytes) -> Tokens | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return read_usage(answer.get("usage")) if isinstance(answer, Mapping) else None
