"""A connection from a caller: asyncio Protocol and httptools, nothing between them and the gateway.

Owns HTTP/1.1's rules on this side: what is refused, one request after the other, who may be slow for how long, and how
much waits in memory. A request that could be read in two ways is refused and its connection closed (RFC 9112, 11.2).
"""

# ruff: noqa: D102 - the callbacks have the names and meanings of asyncio and httptools

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import httptools
import structlog

from kontor.billing.metering.answers import (
    BROKEN,
    HEAD_TOO_LARGE,
    OUR_FAULT,
    PROBLEM,
    TARGET_TOO_LONG,
    TOO_SLOW,
    Refusal,
    openai_problem,
)
from kontor.billing.metering.caller import DISCARD_S, Caller, CallerGone
from kontor.core.i18n import DEFAULT

log = structlog.get_logger(__name__)

IDLE_S: Final = 75.0
REQUEST_S: Final = 60.0
"""How long a head may take, and a body may pause."""

MOST_HEADERS: Final = 100
MOST_HEAD_BYTES: Final = 64 * 1024
MOST_TARGET_BYTES: Final = 8 * 1024
WAITING_BYTES: Final = 32 * 1024
"""What may wait for a slow reader before the provider is read no further."""

_MOST_PIPELINED: Final = 32

Serve = Callable[[Caller], Awaitable[None]]


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class CallerConnection(asyncio.Protocol):
    """One TCP connection. `serve` answers each request.

    The server's sets have it in `connections` while it is open, and the request under way in `tasks`; `date` says the
    header lines of the moment. The on_* methods are httptools' callbacks.
    """

    def __init__(
        self, serve: Serve, connections: set[Any], tasks: set[asyncio.Task[None]], date: Callable[[], bytes]
    ) -> None:
        self._serve = serve
        self._connections = connections
        self._tasks = tasks
        self._date = date
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Caller] = deque()
        self._now: Caller | None = None
        self._reading: Caller | None = None
        self._refusal: Refusal | None = None
        self._drain: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._is_paused = self._stops = self._lingers = False
        self.is_lost = False
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = self._field_bytes = self._header_count = 0
        self._in_head = False

    # Line

    @property
    def date(self) -> bytes:
        return self._date()

    @property
    def is_full(self) -> bool:
        return self._drain is not None

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.is_lost:
            self._transport.write(data)

    async def has_room(self, within_s: float) -> bool:
        if self._drain is None:
            return True
        timer = self._loop.call_later(within_s, self._give_up)
        try:
            await self._drain
        finally:
            timer.cancel()
        return not self.is_lost

    def wants(self, request: Caller) -> None:
        if request.headers.get(b"expect", b"").lower() == b"100-continue" and not request.is_old and not request.size:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def has_answered(self, request: Caller) -> None:
        if self._transport is None or request is not self._now:
            return
        self._now = None
        self._heard_at = self._loop.time()
        if self._reading is request:
            self._linger(request)
        elif not request.keeps_alive or self._stops:
            self._transport.close()
        elif self._waiting:
            self._start(self._waiting.popleft())
        elif self._refusal is not None:
            self._turn_away(self._refusal)

    def shutdown(self) -> None:
        """The process ends: an idle connection closes now, a busy one after its answer."""
        self._stops = True
        if self._transport is not None and self._now is None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WAITING_BYTES)
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._connections.discard(self)
        self.is_lost = True
        self._transport = self._parser = None
        if self._timer is not None:
            self._timer.cancel()
        if self._drain is not None:
            self.resume_writing()
        for request in (self._now, self._reading, *self._waiting):
            if request is not None:
                request.lose()
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._refusal is not None:
            return
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._heard_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            self._turn_away(cause.refusal if isinstance(cause, _Refused) else BROKEN)
        else:
            if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
                self._turn_away(HEAD_TOO_LARGE)

    def pause_writing(self) -> None:
        self._drain = self._loop.create_future()

    def resume_writing(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            drain.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        self._begin()
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > MOST_TARGET_BYTES:
            raise _Refused(TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._field_bytes += len(name) + len(value)
        if self._header_count > MOST_HEADERS or self._field_bytes > MOST_HEAD_BYTES:
            raise _Refused(HEAD_TOO_LARGE)
        name = name.lower()
        if name in self._headers and name in _ONLY_ONCE:
            raise _Refused(BROKEN)
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        self._in_head = False
        if parser is None:
            return
        version = parser.get_http_version()
        if parser.should_upgrade() or version not in _VERSIONS or (version == "1.1" and b"host" not in headers):
            raise _Refused(BROKEN)
        is_old = version == "1.0"
        if is_old and b"transfer-encoding" in headers:
            raise _Refused(BROKEN)
        path = _path(self._target)
        keeps_alive = parser.should_keep_alive()
        method = parser.get_method().decode("ascii")
        request = Caller(self, method, path, headers, is_old=is_old, keeps_alive=keeps_alive)
        self._reading = request
        if self._now is None:
            self._start(request)
        elif len(self._waiting) >= _MOST_PIPELINED:
            raise _Refused(BROKEN)
        else:
            self._waiting.append(request)
            if not self._is_paused and self._transport is not None:
                self._is_paused = True
                self._transport.pause_reading()

    def on_body(self, body: bytes) -> None:
        if self._reading is not None:
            self._reading.feed(body)

    def on_message_complete(self) -> None:
        if self._reading is not None:
            self._reading.finish()
            self._reading = None
        if self._lingers and self._transport is not None:
            self._transport.close()

    # Ours

    def _start(self, request: Caller) -> None:
        self._now = request
        if self._is_paused and not self._waiting and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        task = self._loop.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Caller) -> None:
        try:
            await self._serve(request)
        except CallerGone:
            pass
        except Exception:
            log.exception("gateway.request_failed", path=request.path)
            if not request.has_begun:
                await request.refuse(OUR_FAULT, connection="close")
        finally:
            if self._now is request and self._transport is not None:  # cut: the caller must not take it for whole
                self._transport.abort()

    def _linger(self, request: Caller) -> None:
        """The answer came before the end of its request: reads on for a while, or a reset would overtake the answer."""
        self._lingers = True
        request.discard()
        if self._transport is not None:
            self._loop.call_later(DISCARD_S, self._transport.close)

    def _turn_away(self, refusal: Refusal) -> None:
        """Answers what is no request, after the requests before it, and closes."""
        self._refusal = refusal
        half_read, self._reading = self._reading, None
        if self._lingers:
            self._give_up()
            return
        if half_read is not None:
            if half_read in self._waiting:
                self._waiting.remove(half_read)
            elif half_read is self._now:
                self._now = None
        if self._now is not None or self._waiting or self._transport is None:
            return
        body = openai_problem(refusal, DEFAULT)
        head = b"HTTP/1.1 %d \r\n%bcontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self._transport.write(head % (refusal.status, self.date, PROBLEM, len(body)) + body)
        self._transport.close()
        if half_read is not None:
            self.is_lost = True
            half_read.lose()

    def _look(self) -> None:
        """One timer for a connection's whole life: closes it when nothing was heard for too long."""
        if self._transport is None:
            return
        quiet_s = self._loop.time() - self._heard_at
        is_reading = self._in_head or self._reading is not None
        bound_s = REQUEST_S if is_reading else IDLE_S
        if self._now is None or self._reading is self._now:
            if quiet_s >= bound_s:
                if is_reading:
                    self._turn_away(TOO_SLOW)
                else:
                    self._transport.close()
                return
            wait_s = bound_s - quiet_s
        else:
            wait_s = IDLE_S
        self._timer = self._loop.call_later(wait_s, self._look)

    def _give_up(self) -> None:
        """Nobody has read for too long."""
        if self._transport is not None:
            self._transport.abort()


_ONLY_ONCE: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization", b"x-api-key"})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


def _path(target: bytes) -> str:
    """The path of a target in origin or absolute form; percent-encoding is left as it is, and matches no route."""
    if target[:1] != b"/":
        try:
            target = httptools.parse_url(target).path or b"/"
        except httptools.HttpParserInvalidURLError as error:
            raise _Refused(BROKEN) from error
    return target.partition(b"?")[0].decode("latin-1")
