"""The caller's side of one request, over ASGI.

Owns reading a bounded body, and writing an answer whose reader may be slow or gone. ASGI servers do not say that a
caller went away; one has to ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

from kontor.billing.metering.answers import JSON, PROBLEM, Refusal, openai_problem
from kontor.core.i18n import Lang, negotiate

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STALL_S: Final = 120.0
DISCARD_S: Final = 10.0
DISCARD_BYTES: Final = 128 * 1024 * 1024


class TooLarge(Exception):
    """The body is longer than allowed."""


class CallerGone(Exception):
    """The caller went away before its request was complete."""


class Caller:
    """One request and its answer.

    `problem` writes the bodies of error answers.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self._language: Lang | None = None
        self.problem: Callable[[Refusal, Lang], bytes] = openai_problem
        self._receive = receive
        self._send = send
        self._watch: asyncio.Future[Message] | None = None
        self._stalled = self._has_ended = False

    @property
    def language(self) -> Lang:
        """That of the key, else what the request prefers."""
        if self._language is None:
            self._language = negotiate(self.headers.get(b"accept-language", b"").decode("latin-1"))
        return self._language

    @language.setter
    def language(self, language: Lang) -> None:
        self._language = language

    async def body(self, most_bytes: int) -> bytes:
        """The whole body. Raises TooLarge, CallerGone."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most_bytes:
            await self._discard()
            raise TooLarge
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            if len(body) > most_bytes:
                raise TooLarge
            return body
        parts, size = [body], len(body)
        while message["type"] == "http.request" and message.get("more_body", False):
            message = await self._receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most_bytes:
                parts.clear()
                await self._discard()
                raise TooLarge
        if message["type"] != "http.request":
            raise CallerGone
        return b"".join(parts)

    async def _discard(self) -> None:
        """Reads on to a bound without keeping anything: who is still sending would not see an answer."""
        left = DISCARD_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_S):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    async def answer(self, body: bytes, *, status: int = 200, kind: bytes = JSON, **headers: str) -> None:
        """A whole answer."""
        await self.begin(status, kind, length=len(body), **headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, refusal: Refusal, **headers: str) -> None:
        """An error answer."""
        if refusal.retry_after_s is not None:
            headers["retry-after"] = str(refusal.retry_after_s)
        await self.answer(self.problem(refusal, self.language), status=refusal.status, kind=PROBLEM, **headers)

    async def begin(self, status: int, kind: bytes, *, length: int | None = None, **headers: str) -> None:
        """The answer's head goes out; without a length a stream follows."""
        lines = [(b"content-type", kind)]
        if length is None:
            lines += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        else:
            lines.append((b"content-length", str(length).encode()))
        lines += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def write(self, data: bytes) -> None:
        """Part of a stream. Waits for a slow reader; one that reads nothing for STALL_S counts as gone."""
        try:
            async with asyncio.timeout(STALL_S):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError:
            self._stalled = True

    async def end(self) -> None:
        """The stream is complete. A second call changes nothing."""
        if self._has_ended:
            return
        self._has_ended = True
        self.unwatch()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def watch(self) -> None:
        """From now on `is_gone` is true once the caller has gone."""
        self._watch = asyncio.ensure_future(self._receive())

    def unwatch(self) -> None:
        """No longer watched; nothing is left running."""
        if self._watch is not None and not self._watch.done():
            self._watch.cancel()

    @property
    def is_gone(self) -> bool:
        """Whether nobody reads the answer any more."""
        return self._stalled or (self._watch is not None and self._watch.done())
