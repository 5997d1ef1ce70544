"""The caller's side of one request: its body within bounds, and an answer whose reader may be slow or gone.

Owns one request and its answer. The connection it came over, and HTTP's own rules: callers.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from uuid import UUID

from kontor.billing.metering.answers import JSON, PROBLEM, TITLES, Refusal, openai_problem
from kontor.core.i18n import Lang, negotiate
from kontor.core.ids import TenantId

MOST_BODY_BYTES: Final = 20_000_000
"""Of a longer body nothing is kept, also before anybody asks for it."""

_DIGITS: Final = len(str(MOST_BODY_BYTES))

STALL_S: Final = 120.0
DISCARD_S: Final = 10.0
DISCARD_BYTES: Final = 128 * 1024 * 1024

_STATUS_LINES: Final = {
    status: f"HTTP/1.1 {status} {title}\r\n".encode() for status, title in {200: "OK", **TITLES}.items()
}


class TooLarge(Exception):
    """The body is longer than allowed."""


class CallerGone(Exception):
    """The caller went away before its request was complete."""


class Tape:
    """What passes to a caller, kept in memory up to a bound. `status` is None while nothing has passed."""

    __slots__ = ("_most_bytes", "kept", "request_id", "status", "total_bytes")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.status: int | None = None
        self.request_id: UUID | None = None
        self.kept = bytearray()
        self.total_bytes = 0

    def begin(self, status: int, request_id: str | None) -> None:
        """An answer begins; one that is passed on from a provider's refusal has no id."""
        self.status = status
        self.request_id = UUID(request_id) if request_id is not None else None

    def add(self, data: bytes) -> None:
        """A part of it has passed."""
        self.total_bytes += len(data)
        if (room := self._most_bytes - len(self.kept)) > 0:
            self.kept += data[:room]


class Line(Protocol):
    """The connection that a request came over, as far as its answer needs it."""

    @property
    def is_lost(self) -> bool:
        """Whether nobody is at its other end any more."""
        ...

    @property
    def date(self) -> bytes:
        """The header lines that every answer has, each with its CRLF."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting to go out that nothing should be added."""
        ...

    def write(self, data: bytes) -> None:
        """Goes out as soon as the caller reads."""
        ...

    async def has_room(self, within_s: float) -> bool:
        """Waits until little enough is waiting to go out; false when that took too long."""
        ...

    def wants(self, request: "Caller") -> None:
        """The body may come, as fast as it can."""
        ...

    def has_answered(self, request: "Caller") -> None:
        """The answer is complete: the next request may be read."""
        ...


class Caller:
    """One request and its answer.

    `headers` have small names; `problem` writes the bodies of error answers; `tenant` is whose key it has, once known.
    """

    __slots__ = (
        "_body",
        "_discards",
        "_has_begun",
        "_has_ended",
        "_head",
        "_is_chunked",
        "_is_complete",
        "_language",
        "_line",
        "_stalled",
        "_tape",
        "_waiter",
        "headers",
        "is_old",
        "keeps_alive",
        "method",
        "path",
        "problem",
        "size",
        "tenant",
    )

    def __init__(
        self,
        line: Line,
        method: str,
        path: str,
        headers: Mapping[bytes, bytes],
        *,
        is_old: bool = False,
        keeps_alive: bool = True,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.is_old = is_old
        self.keeps_alive = keeps_alive
        self.problem: Callable[[Refusal, Lang], bytes] = openai_problem
        self.tenant: TenantId | None = None
        self.size = 0
        self._language: Lang | None = None
        self._line = line
        self._body: list[bytes] = []
        self._is_complete = False
        announced = headers.get(b"content-length", b"")
        self._discards = len(announced) >= _DIGITS and int(announced) > MOST_BODY_BYTES
        self._waiter: asyncio.Future[None] | None = None
        self._tape: Tape | None = None
        self._head = b""
        self._is_chunked = self._stalled = self._has_begun = self._has_ended = False

    @property
    def language(self) -> Lang:
        """That of the key, else what the request prefers."""
        if self._language is None:
            self._language = negotiate(self.headers.get(b"accept-language", b"").decode("latin-1"))
        return self._language

    @language.setter
    def language(self, language: Lang) -> None:
        self._language = language

    # What the connection says

    def feed(self, data: bytes) -> None:
        """A part of the body has come."""
        self.size += len(data)
        if self.size > MOST_BODY_BYTES:
            self.discard()
        if not self._discards:
            self._body.append(data)
        self._wake()

    def finish(self) -> None:
        """The body is complete."""
        self._is_complete = True
        self._wake()

    def discard(self) -> None:
        """Nothing more of the body is kept."""
        self._discards = True
        self._body.clear()

    def lose(self) -> None:
        """The connection is gone."""
        self._wake()

    # What the gateway does

    async def body(self, most_bytes: int = MOST_BODY_BYTES) -> bytes:
        """The whole body. Raises TooLarge, CallerGone."""
        if not self._is_complete:
            await self._complete(most_bytes)
        if self.size > most_bytes:
            raise TooLarge
        parts, self._body = self._body, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def tape(self, most_bytes: int) -> Tape:
        """From now on keeps a copy of what passes to the caller, of its first bytes."""
        self._tape = Tape(most_bytes)
        return self._tape

    def untape(self) -> None:
        """What passes from now on is kept by nobody."""
        self._tape = None

    async def answer(self, body: bytes, *, status: int = 200, kind: bytes = JSON, **headers: str) -> None:
        """A whole answer."""
        self.begin(status, kind, length=len(body), **headers)
        head, self._head = self._head, b""
        if self._has_ended or self.is_gone:
            return
        self._has_ended, line = True, self._line
        if self._tape is not None:
            self._tape.add(body)
        line.write(head if self.method == "HEAD" else head + body)
        if line.is_full and not await line.has_room(STALL_S):
            self._stalled = True
        line.has_answered(self)

    async def refuse(self, refusal: Refusal, **headers: str) -> None:
        """An error answer."""
        if refusal.retry_after_s is not None:
            headers["retry-after"] = str(refusal.retry_after_s)
        await self.answer(self.problem(refusal, self.language), status=refusal.status, kind=PROBLEM, **headers)

    def begin(self, status: int, kind: bytes, *, length: int | None = None, **headers: str) -> None:
        """The answer's head goes out with its first bytes; without a length a stream follows."""
        self._has_begun = True
        if self._tape is not None:
            self._tape.begin(status, headers.get("x_request_id"))
        if not self._is_complete:
            self.keeps_alive = False  # who has not sent everything by now would send it into the next request
        lines = [_STATUS_LINES[status], self._line.date, b"content-type: ", kind]
        if length is not None:
            lines.append(b"\r\ncontent-length: %d\r\n" % length)
        else:
            self._is_chunked = not self.is_old
            self.keeps_alive = self.keeps_alive and self._is_chunked
            lines.append(b"\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n")
            if self._is_chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
        for name, value in headers.items():
            if name == "connection":
                self.keeps_alive = False
            else:
                lines.append(f"{name.replace('_', '-')}: {value}\r\n".encode("latin-1"))
        if not self.keeps_alive:
            lines.append(b"connection: close\r\n")
        elif self.is_old:
            lines.append(b"connection: keep-alive\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    async def write(self, data: bytes) -> None:
        """Part of a stream. Waits for a slow reader; one that reads nothing for STALL_S counts as gone."""
        if self.is_gone:
            return
        if self._tape is not None:
            self._tape.add(data)
        head, self._head = self._head, b""
        self._line.write(b"%b%x\r\n%b\r\n" % (head, len(data), data) if self._is_chunked else head + data)
        del data  # it waits with the line
        if self._line.is_full and not await self._line.has_room(STALL_S):
            self._stalled = True

    async def end(self) -> None:
        """The stream is complete. A second call changes nothing."""
        if self._has_ended or self.is_gone:
            return
        self._has_ended = True
        head, self._head = self._head, b""
        if head or self._is_chunked:
            self._line.write(head + (b"0\r\n\r\n" if self._is_chunked else b""))
        self._line.has_answered(self)

    @property
    def is_gone(self) -> bool:
        """Whether nobody reads the answer any more."""
        return self._stalled or self._line.is_lost

    @property
    def has_begun(self) -> bool:
        """Whether something of the answer may have gone out."""
        return self._has_begun

    async def _complete(self, most_bytes: int) -> None:
        """The body has come, as far as it is kept. Raises CallerGone, TooLarge."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most_bytes:
            await self._discard()
            raise TooLarge
        self._line.wants(self)
        while not self._is_complete:
            await self._more()
            if self.size > most_bytes:
                await self._discard()
                raise TooLarge

    async def _discard(self) -> None:
        """Reads on to a bound without keeping anything: who is still sending would not see an answer."""
        self.discard()
        try:
            async with asyncio.timeout(DISCARD_S):
                while not self._is_complete and self.size <= DISCARD_BYTES:
                    await self._more()
        except (TimeoutError, CallerGone):
            return

    async def _more(self) -> None:
        """Until something has come. Raises CallerGone."""
        if self._line.is_lost:
            raise CallerGone
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
