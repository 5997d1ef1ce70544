"""One connection to a provider: asyncio Protocol and httptools, nothing between them.

Owns reading: one response at a time, no more than 96 KB of it waiting in memory. What comes without having been asked
for ends the connection: it must never be taken for the next answer. Pool and timeouts: upstream.
"""

# ruff: noqa: D102 - the callbacks have the names and meanings of asyncio and httptools

import asyncio
import select
from collections import deque
from typing import Final, cast

import httptools

_PAUSE_BYTES: Final = 32 * 1024
_BUFFER: Final = memoryview(bytearray(64 * 1024))
"""One for all connections: what is read into it is taken out before anybody else reads."""

_MOST_HEADERS: Final = 200
_MOST_HEAD_BYTES: Final = 64 * 1024
"""In heads, trailers and extensions of chunks: what may come without a byte of a body in between."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_SWITCHING: Final = 101
_OK: Final = 200


class UpstreamError(Exception):
    """The provider did not do its part of HTTP."""


class NotConnected(UpstreamError):
    """No connection: the request was not sent, the call cost nothing."""


class NoAnswer(UpstreamError):
    """The connection ended, or broke HTTP, before the response's head: the call may have cost something."""


class Slow(UpstreamError):
    """A timeout; `had_begun` says whether the response's head had come."""

    def __init__(self, what: str, *, had_begun: bool) -> None:
        super().__init__(what)
        self.had_begun = had_begun


class CutOff(UpstreamError):
    """The response ended before it was complete."""


class Connection(asyncio.BufferedProtocol):
    """One TCP connection, one request at a time. The on_* methods are httptools' callbacks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()  # asked once: until Python 3.12 each time costs a system call
        self._transport: asyncio.Transport | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._unread = select.poll()
        self._start()
        self.is_complete = True  # nothing is due before the first request

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._header_count = self._bare_bytes = 0
        self.has_received = self._has_head = self.is_complete = False
        self._keeps_alive = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent: the provider has read the one before, and we its answer."""
        if not self._keeps_alive or not self.is_complete or self._chunks or self._error is not None:
            return False
        transport = self._transport
        return transport is not None and not transport.is_closing() and not transport.get_write_buffer_size()

    @property
    def has_unread(self) -> bool:
        """Whether the provider has sent something, or hung up, and the loop has not come to tell us yet."""
        return bool(self._unread.poll(0))

    async def request(self, data: bytes, within_s: float) -> None:
        """Sends; returns when the response's head has come. Raises NotConnected, NoAnswer, Slow."""
        if self._error is not None or self._transport is None or self._transport.is_closing():
            raise NotConnected(f"the connection ended before the request: {self._error}")
        self._start()
        self._transport.write(data)
        deadline = self._loop.time() + within_s
        try:
            while not self._has_head and self._error is None:
                await self._wait(deadline)
        except TimeoutError as error:
            raise Slow(f"no answer within {within_s:g} s", had_begun=False) from error
        if not self._has_head:
            raise NoAnswer(str(self._error)) from self._error

    async def chunk(self, within_s: float) -> bytes:
        """The next bytes of the body; empty at its end. Raises Slow, CutOff."""
        if not self._chunks and not self.is_complete and self._error is None:
            deadline = self._loop.time() + within_s
            try:
                while not self._chunks and not self.is_complete and self._error is None:
                    await self._wait(deadline)
            except TimeoutError as error:
                raise Slow("the provider stopped in the middle of its answer", had_begun=True) from error
        if self._chunks:
            data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._buffered = 0
            if self._is_paused and self._transport is not None:
                self._is_paused = False
                self._transport.resume_reading()
            return data
        if self.is_complete:
            return b""
        raise CutOff(str(self._error)) from self._error

    def close(self) -> None:
        """The socket is closed at once; nothing more comes."""
        self._error = self._error or CutOff("closed by us")
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, deadline: float) -> None:
        """Until something has come. Raises TimeoutError at the deadline. A timer is cheaper than asyncio.timeout."""
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_at(deadline, _time_out, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: UpstreamError) -> None:
        if self._error is None:
            self._error = error
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        data = _BUFFER[:nbytes]
        if self.is_complete:  # nobody asked
            self._fail(CutOff("bytes before the request, or after the end of the answer"))
            return
        self.has_received = True
        self._bare_bytes += nbytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(CutOff(f"broken HTTP: {error.__context__ or error}"))
        if self._bare_bytes > _MOST_HEAD_BYTES:
            self._fail(CutOff("the answer's head or trailer is too long"))
        if self._buffered > _PAUSE_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_head and not self.is_complete and self._ends_with_connection and exc is None:
            self.is_complete = True
        self._fail(CutOff(f"the connection was closed: {exc!r}"))

    # httptools

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise httptools.HttpParserCallbackError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > _MOST_HEADERS:
            raise httptools.HttpParserCallbackError("the answer has too many headers")
        if not self._has_head:  # trailers change nothing
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self._parser.get_http_version() not in _VERSIONS or self.status == _SWITCHING:
            raise httptools.HttpParserCallbackError("the provider wants another protocol")
        if self.status < _OK:  # 100, 103: the real head follows
            self.headers = {}
            return
        self._has_head = True
        self._keeps_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._bare_bytes = 0
        self._chunks.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self.is_complete = True

    @property
    def _ends_with_connection(self) -> bool:
        """RFC 9112, 6.3: without length and chunking the body ends with the connection."""
        return b"content-length" not in self.headers and b"chunked" not in self.headers.get(b"transfer-encoding", b"")


def _time_out(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
