"""A turn as OpenAI sends it: whole, or as server-sent events that end with `[DONE]`.

Owns the moment at which something counts as sent: after the server took the bytes for a client that is still there.
Comments (`: waking`) keep the connection open while there is nothing to say; clients ignore them (HTML standard,
9.2.6).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson
import structlog
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from kontor.app.api.chat_form import MODEL, error_object
from kontor.core.errors import DomainError, Unavailable
from kontor.core.i18n import Lang
from kontor.core.ids import PREFIXES, encode, instant_ms
from kontor.tenants.provisioning.talk import Tokens
from kontor.tenants.talk.ask import Ended, Hold, Piece, Said, Turn

log = structlog.get_logger(__name__)

CONVERSATION: Final = "Kontor-Conversation"
_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}
_DONE: Final = b"data: [DONE]\n\n"


def headers_of(turn: Turn) -> dict[str, str]:
    """Which conversation it is."""
    return {CONVERSATION: encode(PREFIXES["conversation"], turn.conversation)} if turn.conversation else {}


def usage_of(used: Tokens) -> dict[str, int]:
    """Token counts in OpenAI's form."""
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
    }


async def whole(turn: Turn, request: Request) -> Response:
    """The answer in one piece; what stood before it counts as told once it was sent."""
    said: list[str] = []
    ended = Ended("stop", None)
    async with aclosing(turn.pieces()) as pieces:
        async for piece in pieces:
            match piece:
                case Said(text):
                    said.append(text)
                case Ended():
                    ended = piece
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(said), "refusal": None},
        "logprobs": None,
        "finish_reason": ended.reason,
    }
    answer = {**_frame(turn, "chat.completion"), "choices": [choice]}
    if ended.used is not None:
        answer["usage"] = usage_of(ended.used)
    if await request.is_disconnected():
        return JSONResponse(answer, headers=headers_of(turn))
    return _Noticing(answer, turn)


class _Noticing(JSONResponse):
    """Tells the turn when the answer went out."""

    def __init__(self, content: Mapping[str, Any], turn: Turn) -> None:
        super().__init__(content, headers=headers_of(turn))
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        await super().__call__(scope, receive, send)
        await told(self._turn)


async def streamed(turn: Turn, lang: Lang, *, wants_usage: bool) -> Response:
    """The answer as it comes. Raises what refuses the message before there is anything to send."""
    pieces = turn.pieces()
    try:
        first = await anext(pieces)
    except BaseException:
        await pieces.aclose()
        raise
    return _Events(turn, first, pieces, lang, wants_usage=wants_usage)


class _Events(Response):
    """A turn as server-sent events. The turn is closed when the client leaves, however it leaves."""

    media_type = "text/event-stream"

    def __init__(
        self, turn: Turn, first: Piece, pieces: AsyncGenerator[Piece, None], lang: Lang, *, wants_usage: bool
    ) -> None:
        super().__init__(headers={**headers_of(turn), **_HEADERS})
        del self.headers["content-length"]
        self._turn = turn
        self._first = first
        self._pieces = pieces
        self._lang = lang
        self._wants_usage = wants_usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        del scope
        has_left = asyncio.Event()
        sending = asyncio.create_task(self._send(send, has_left))
        leaving = asyncio.create_task(_note_leaving(receive, has_left))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.wait({sending})
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send, has_left: asyncio.Event) -> None:
        is_told = False
        async with aclosing(self._pieces):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for events in self._events():
                await send({"type": "http.response.body", "body": events, "more_body": True})
                if not is_told and not has_left.is_set() and not events.startswith(b":"):
                    is_told = True
                    await told(self._turn)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncIterator[bytes]:
        frame = _frame(self._turn, "chat.completion.chunk")
        if self._wants_usage:
            frame["usage"] = None
        has_spoken = False
        try:
            async for piece in self._all():
                match piece:
                    case Hold(why):
                        yield f": {why}\n\n".encode()
                    case Said(text):
                        delta = {"content": text} if has_spoken else {"role": "assistant", "content": text}
                        has_spoken = True
                        yield _data({**frame, "choices": [_choice(delta, None)]})
                    case Ended(reason, used):
                        if not has_spoken:
                            yield _data({**frame, "choices": [_choice({"role": "assistant", "content": ""}, None)]})
                        yield _data({**frame, "choices": [_choice({}, reason)]})
                        if self._wants_usage and used is not None:
                            yield _data({**frame, "choices": [], "usage": usage_of(used)})
                        yield _DONE
        except DomainError as error:
            log.warning("chat.broke_off", code=error.code, cause=repr(error.__cause__))
            yield _data({"error": error_object(error, self._lang)})

    async def _all(self) -> AsyncIterator[Piece]:
        yield self._first
        async for piece in self._pieces:
            yield piece


async def told(turn: Turn) -> None:
    """The turn knows that its beginning went out. Without a database it does not, and tells it again next time."""
    try:
        await turn.sent()
    except Unavailable as error:
        log.warning("chat.not_noted_as_told", code=error.code)


async def _note_leaving(receive: Receive, has_left: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    has_left.set()


def _frame(turn: Turn, kind: str) -> dict[str, Any]:
    return {
        "id": encode(PREFIXES["message"], turn.id),
        "object": kind,
        "created": instant_ms(turn.id) // 1000,
        "model": MODEL,
    }


def _choice(delta: Mapping[str, str], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _data(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
