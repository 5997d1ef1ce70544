"""One request: tried at its deployments in their order, written down, passed on, and closed with what it cost.

Every try is a call of its own with an id minted before it; the close is written before the caller can see the end of
its answer. Until the first byte has gone to the caller the next deployment may answer instead. A caller that goes
away is not a reason to lose the count: what is still coming is read up to a bound. Nothing of a prompt or an answer is
kept, logged or written down.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from time import monotonic
from typing import Any, Final

import orjson
import structlog
from prometheus_client import Counter, Histogram

from kontor.billing.metering.answers import JSON, SSE
from kontor.billing.metering.budgets.purses import Reservation
from kontor.billing.metering.caller import Caller
from kontor.billing.metering.catalogue import Deployment
from kontor.billing.metering.connection import CutOff, NoAnswer, NotConnected, Slow, UpstreamError
from kontor.billing.metering.dialects.dialect import Asked, Dialect, Missing, NotUnderstood, Talk, dumps
from kontor.billing.metering.dialects.events import BadStream, Reader
from kontor.billing.metering.health import Health
from kontor.billing.metering.journal import Journal, Ticket
from kontor.billing.metering.keys import Key
from kontor.billing.metering.live_prices import LivePrices
from kontor.billing.metering.outages.cause import Cause, cause_of_status
from kontor.billing.metering.record import Call
from kontor.billing.metering.upstream import Response, Upstreams
from kontor.billing.metering.usage import NOTHING, Outcome, Tokens, estimate
from kontor.core.clock import Clock
from kontor.core.ids import TenantId, UsageEventId, new_id

log = structlog.get_logger(__name__)

DRAIN_S: Final = 15.0
DRAIN_BYTES: Final = 4 * 1024 * 1024
MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024
PAUSES_S: Final = (0.3, 1.0, 2.5)
"""Between rounds over all deployments: short outages pass unseen. OpenClaw 2026.9.4 given 503 tries 8 times in 82 s."""
_BROKEN: Final = (UpstreamError, BadStream, NotUnderstood)
"""What a stream ends with that nobody could pass on to its end."""

_OK: Final = 200
_ERROR: Final = 300  # a redirect is not followed: it would carry the prompt to somebody else
_BAD_REQUEST: Final = 400
_CALLERS_FAULT: Final = frozenset({400, 413, 422})
_PROVIDERS_NO: Final = frozenset({401, 402, 403, 404, 405})  # waiting does not help
_PASSED_HEADERS: Final = {"anthropic-version": b"anthropic-version", "anthropic-beta": b"anthropic-beta"}
_MONEY_WORDS: Final = (b"insufficient_quota", b"quota", b"billing", b"credit")

CALLS: Final = Counter("kontor_gateway_calls_total", "Calls to providers by outcome", ["provider", "outcome"])
LATENCY: Final = Histogram(
    "kontor_gateway_call_seconds",
    "From the request to the end of the answer",
    ["form"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
_WHOLE, _STREAM = LATENCY.labels("whole"), LATENCY.labels("stream")


class ProviderFailed(Exception):
    """No try brought an answer that could be passed on; nothing was sent to the caller."""


class Ended(Enum):
    """What a try has come to."""

    DONE = "the caller has its answer"
    ELSEWHERE = "failed, and may have cost something: not here again"
    AGAIN = "failed at no cost: here again in a while, if nobody else can"


@dataclass(slots=True)
class Order:
    """A request that may be forwarded: whose, what, to whom, what goes with it, and the money that is held for it."""

    key: Key
    tenant: TenantId
    dialect: Dialect
    asked: Asked
    route: tuple[Deployment, ...]
    reservation: Reservation | None = None
    rules: str = ""
    missing: Missing | None = None


@dataclass(slots=True)
class _Try:
    """A call under way: its ticket, when it began (the instant, and by the monotonic clock), whether it is closed."""

    order: Order
    deployment: Deployment
    sent: bytes
    ticket: Ticket
    at: datetime
    began: float
    first_ms: int | None = None
    is_closed: bool = False


class Forwarder:
    """Sends requests to providers."""

    def __init__(
        self,
        upstreams: Upstreams,
        journal: Journal,
        clock: Clock,
        *,
        health: Health | None = None,
        prices: LivePrices | None = None,
    ) -> None:
        self.health = health or Health()
        self._prices = prices or LivePrices()
        self._upstreams = upstreams
        self._journal = journal
        self._clock = clock

    async def send(self, order: Order, caller: Caller) -> None:
        """The caller has its answer and the journal its numbers. Raises JournalFull, ProviderFailed."""
        left = {one.name: one for one in order.route}
        for pause_s in (*PAUSES_S, None):
            for name in self.health.order(left):
                ended = await self._once(order, left[name], caller)
                if ended is Ended.DONE:
                    return
                if ended is Ended.ELSEWHERE:
                    del left[name]
            if pause_s is None or not left:
                break
            await asyncio.sleep(pause_s)
        raise ProviderFailed

    async def _once(self, order: Order, deployment: Deployment, caller: Caller) -> Ended:
        asked = order.asked
        sent = order.dialect.for_provider(asked, deployment.model, rules=order.rules, refuses=deployment.refuses)
        made = self._open(order, deployment, sent)
        self.health.trying(deployment.name)
        try:
            return await self._try(made, caller)
        finally:
            if not made.is_closed:  # cancelled: the process stops
                self._close(made, estimate(len(sent), 0), Outcome.DISCONNECTED)

    async def _try(self, made: _Try, caller: Caller) -> Ended:
        order, sent = made.order, made.sent
        upstream = self._upstreams.of(made.deployment.base_url)
        headers = {
            "content-type": "application/json",
            "accept": "text/event-stream" if order.asked.is_stream else "application/json",
            **made.deployment.credential.headers(order.dialect.name, upstream.url(order.dialect.path), sent),
        }
        for name, passed in _PASSED_HEADERS.items():
            if passed in caller.headers:
                headers[name] = caller.headers[passed].decode("latin-1")
        try:
            response = await upstream.post(order.dialect.path, headers, sent)
        except NotConnected as error:
            made.is_closed = True
            self._journal.void(made.ticket)
            return self._failed(made, Ended.AGAIN, Cause.UNREACHABLE, error)
        except NoAnswer as error:
            self._close(made, estimate(len(sent), 0), Outcome.FAILED)
            return self._failed(made, Ended.ELSEWHERE, Cause.SILENT, error)
        except Slow as error:
            self._close(made, estimate(len(sent), 0), Outcome.TIMEOUT)
            return self._failed(made, Ended.ELSEWHERE, Cause.SILENT, error)
        async with response:
            return await self._read(made, response, caller)

    async def _read(self, made: _Try, response: Response, caller: Caller) -> Ended:
        if response.status >= _ERROR:
            return await self._error(made, response, caller)
        if response.status != _OK or response.is_encoded:
            return self._unusable(made, response)
        if response.is_stream and (talk := made.order.dialect.talk) is not None:
            return await self._stream(made, response, talk, caller)
        return await self._whole(made, response, caller)

    async def _error(self, made: _Try, response: Response, caller: Caller) -> Ended:
        """The provider refused: passed on only when the request is at fault and the text is harmless."""
        try:
            body = b"" if response.is_encoded else await response.body(DRAIN_BYTES)
        except UpstreamError:
            body = b""
        self._close(made, NOTHING, Outcome.REFUSED)
        lowered = body.lower()
        if body and response.status in _CALLERS_FAULT and not any(word in lowered for word in _MONEY_WORDS):
            self.health.succeeded(made.deployment.name)
            await caller.answer(body, status=_BAD_REQUEST, kind=response.headers.get(b"content-type", JSON))
            return Ended.DONE
        then = Ended.ELSEWHERE if response.status in _PROVIDERS_NO else Ended.AGAIN
        return self._failed(made, then, cause_of_status(response.status), None, status=response.status)

    async def _whole(self, made: _Try, response: Response, caller: Caller) -> Ended:
        try:
            body = await response.body(MOST_ANSWER_BYTES)
        except UpstreamError as error:
            self._close(made, estimate(len(made.sent), 0), Outcome.CUT)
            return self._failed(made, Ended.ELSEWHERE, Cause.CUT, error)
        answer, talk, missing = _object(body), made.order.dialect.talk, made.order.missing
        if answer is None:
            return self._unusable(made, response, size=len(body))
        tokens = made.order.dialect.counted(answer) or estimate(len(made.sent), len(body))
        if missing is not None and talk is not None and talk.complete(answer, missing):
            try:
                body = dumps(answer)
            except NotUnderstood:
                return self._unusable(made, response, size=len(body))
        self._close(made, tokens, Outcome.ANSWERED)
        self.health.succeeded(made.deployment.name)
        kind = response.headers.get(b"content-type", JSON)
        await caller.answer(body, status=response.status, kind=kind, x_request_id=str(made.ticket.call.id))
        return Ended.DONE

    def _unusable(self, made: _Try, response: Response, **more: object) -> Ended:
        """A success that is no answer: nothing, a web page, what is packed or broken. It may have cost something."""
        self._close(made, estimate(len(made.sent), 0), Outcome.CUT)
        return self._failed(made, Ended.ELSEWHERE, Cause.CUT, None, status=response.status, **more)

    async def _stream(self, made: _Try, response: Response, dialect: Talk, caller: Caller) -> Ended:
        reader = dialect.reader(made.order.asked, made.order.missing)
        try:
            first = await _first(response, reader)
        except _BROKEN as error:
            self._close(made, reader.counted(len(made.sent)), Outcome.CUT)
            return self._failed(made, Ended.ELSEWHERE, Cause.CUT, error)
        self.health.succeeded(made.deployment.name)
        outcome = Outcome.DISCONNECTED
        caller.begin(200, SSE, x_request_id=str(made.ticket.call.id))
        relaying = self._relay(made, first, response, reader, caller)
        del first  # what waits for a slow caller is held once
        try:
            outcome = await relaying
        except _BROKEN as error:
            outcome = Outcome.CUT
            self._failed(made, Ended.DONE, Cause.CUT, error)
        finally:
            if not made.is_closed:
                self._close(made, reader.counted(len(made.sent)), outcome)
        if outcome is Outcome.DISCONNECTED:
            return Ended.DONE
        if outcome is Outcome.CUT:
            await caller.write(dialect.cut(caller.language))
        await caller.end()
        return Ended.DONE

    async def _relay(self, made: _Try, passed: bytes, response: Response, reader: Reader, caller: Caller) -> Outcome:
        made.first_ms = round((monotonic() - made.began) * 1000)
        while True:
            if caller.is_gone:
                await _drain(response, reader)
                return Outcome.DISCONNECTED
            if reader.is_done and not made.is_closed:  # before the caller can see the end
                self._close(made, reader.counted(len(made.sent)), Outcome.ANSWERED)
            if passed:
                writing, passed = caller.write(passed), b""
                await writing
            if reader.is_done:
                await caller.end()
                await _drain(response, reader)
                return Outcome.ANSWERED
            if not (data := await response.chunk()):
                break
            passed = reader.feed(data)
            del data
        rest = reader.finish()
        self._close(made, reader.counted(len(made.sent)), Outcome.ANSWERED)
        if rest:
            await caller.write(rest)
        return Outcome.ANSWERED

    def _open(self, order: Order, deployment: Deployment, sent: bytes) -> _Try:
        at, key = self._clock.now(), order.key
        call = Call(
            UsageEventId(new_id(at)),
            order.tenant,
            key.instance,
            key.id,
            order.asked.model,
            deployment.model,
            deployment.provider,
            estimate(len(sent), 0),
        )
        return _Try(order, deployment, sent, self._journal.open(call), at, monotonic())

    def _close(self, made: _Try, tokens: Tokens, outcome: Outcome) -> None:
        made.is_closed = True
        took_s = monotonic() - made.began
        call = made.ticket.call
        self._journal.close(made.ticket, call.ended(tokens, outcome, round(took_s * 1000), made.first_ms))
        if (held := made.order.reservation) is not None:
            held.spend(self._prices.book.cost_nano(call.provider, call.model, tokens, made.at) or 0)
        _calls(made.deployment.provider, outcome).inc()
        (_WHOLE if made.first_ms is None else _STREAM).observe(took_s)

    def _failed(self, made: _Try, then: Ended, cause: Cause, error: Exception | None, **more: object) -> Ended:
        name = made.deployment.name
        self.health.failed(name, cause)
        log.warning("provider.failed", deployment=name, cause=cause, error=repr(error) if error else None, **more)
        return then


async def _first(response: Response, reader: Reader) -> bytes:
    """The first that may pass to the caller. Raises UpstreamError, BadStream; also for a stream without anything."""
    while data := await response.chunk():
        if passed := reader.feed(data):
            return passed
    if rest := reader.finish():
        return rest
    raise CutOff("a stream without an event")


async def _drain(response: Response, reader: Reader) -> None:
    """Reads on without passing on, to a bound, for the usage that comes last and to keep the connection."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            while left > 0 and (data := await response.chunk()):
                left -= len(data)
                reader.feed(data)
        reader.finish()
    except (TimeoutError, *_BROKEN):
        return


@lru_cache(maxsize=256)
def _calls(provider: str, outcome: Outcome) -> Counter:
    return CALLS.labels(provider, outcome.value)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None
