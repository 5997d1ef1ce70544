"""The built-in model's process: OpenAI's chat API over HTTP, streamed and whole, and controls for tests.

Answers come from rules, token counts from tokens. The controls exist only when the process was started with a control
token; they change behaviour and read counters, never conversations, which are not kept.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from time import time
from typing import Any, Final

import orjson
import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kontor.app.model import rules, tokens
from kontor.app.model.behaviour import Behaviour, Counts, Ledger, Script
from kontor.app.model.conversation import Conversation, conversation_of, text_of
from kontor.core import telemetry
from kontor.core.ids import new_id
from kontor.core.settings import Settings

NAME: Final = "kontor-demo"
_BEHAVIOURS: Final[TypeAdapter[list[Behaviour]]] = TypeAdapter(list[Behaviour])


class ToldToBreakOff(Exception):
    """A test asked for a connection that ends in the middle; the server closes it."""


@dataclass(frozen=True, slots=True)
class Answering:
    """One request with its answer and its counts."""

    id: str
    model: str
    input_tokens: int
    pieces: list[str]
    finish_reason: str
    behaviour: Behaviour
    counts: list[Counts]

    @property
    def usage(self) -> dict[str, int]:
        """In OpenAI's form."""
        output = len(self.pieces)
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens + output,
        }

    def ends(self, sent: int, *, is_reported: bool) -> None:
        """Counts what was generated and whether its usage was told."""
        for counts in self.counts:
            counts.input_tokens += self.input_tokens
            counts.output_tokens += sent
            if sent < len(self.pieces) or (self.behaviour.disconnect_after is not None and not is_reported):
                counts.cut += 1
            else:
                counts.answered += 1
            if is_reported:
                counts.reported += 1
                counts.reported_input_tokens += self.input_tokens
                counts.reported_output_tokens += sent


def application(control_token: str | None = None) -> Starlette:
    """The model; with a token also its controls, which ask for it as a bearer."""
    model = _Model(control_token)
    routes = [
        Route("/v1/chat/completions", model.chat, methods=["POST"]),
        Route("/v1/models", model.models),
        Route("/healthz", model.healthy),
        Route("/readyz", model.healthy),
    ]
    if control_token:
        routes += [
            Route("/control/behaviour", model.guarded(model.behave), methods=["POST", "DELETE"]),
            Route("/control/counts", model.guarded(model.count), methods=["GET", "DELETE"]),
        ]
    return Starlette(routes=routes)


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    telemetry.configure(settings.log_format)
    token = settings.model_control_token
    config = uvicorn.Config(
        _QuietlyBroken(application(token.get_secret_value() if token else None)),
        host="127.0.0.1",
        port=settings.model_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()


class _QuietlyBroken:
    """A connection that a test wanted broken ends without its chunks' end and without a traceback in the log."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except ToldToBreakOff:
            return


class _Model:
    def __init__(self, control_token: str | None) -> None:
        self._control_token = control_token or ""
        self._ledger = Ledger()
        self._script = Script()

    async def chat(self, request: Request) -> Response:
        try:
            asked = orjson.loads(await request.body())
            messages = asked["messages"]
            if not isinstance(messages, list) or not messages:
                raise TypeError  # noqa: TRY301 - one answer for every broken body
            conversation = conversation_of(messages)
        except (orjson.JSONDecodeError, TypeError, KeyError):
            return _error(400, "'messages' must be a list that is not empty.", "invalid_request_error")
        behaviour = self._script.next_for(conversation.question)
        counts = self._ledger.of(
            request.headers.get("authorization", "").removeprefix("Bearer "), conversation.question
        )
        for each in counts:
            each.requests += 1
        await asyncio.sleep(behaviour.delay_ms / 1000)
        if behaviour.status is not None:
            for each in counts:
                each.failed += 1
            return _error(behaviour.status, behaviour.error, "server_error", behaviour.error_code)
        answering = _answering(asked, messages, conversation, behaviour, counts)
        if asked.get("stream"):
            wants_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            return StreamingResponse(_stream(answering, wants_usage=wants_usage), media_type="text/event-stream")
        return _whole(answering)

    async def models(self, _: Request) -> Response:
        listed = [{"id": NAME, "object": "model", "created": 1_767_225_600, "owned_by": "kontor"}]
        return _json({"object": "list", "data": listed})

    async def healthy(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def behave(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._script.forget()
            return Response(status_code=204)
        try:
            self._script.tell(_BEHAVIOURS.validate_json(await request.body()))
        except ValidationError as error:
            return _error(400, str(error), "invalid_request_error")
        return Response(status_code=204)

    async def count(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._ledger = Ledger()
            return Response(status_code=204)
        return _json(self._ledger.as_dict())

    def guarded(self, control: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guard(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not compare_digest(given.encode(), self._control_token.encode()):
                return _error(401, "The control token is missing or wrong.", "authentication_error")
            return await control(request)

        return guard


def _answering(
    asked: dict[str, Any], messages: list[Any], conversation: Conversation, behaviour: Behaviour, counts: list[Counts]
) -> Answering:
    pieces = tokens.pieces(behaviour.answer or rules.answer(conversation))
    most = asked.get("max_completion_tokens") or asked.get("max_tokens")
    is_short = isinstance(most, int) and 0 < most < len(pieces)
    return Answering(
        id=f"chatcmpl-{new_id().hex}",
        model=str(asked.get("model") or NAME),
        input_tokens=tokens.count_messages(text_of(message) for message in messages),
        pieces=pieces[:most] if is_short else pieces,
        finish_reason="length" if is_short else "stop",
        behaviour=behaviour,
        counts=counts,
    )


def _whole(answering: Answering) -> Response:
    behaviour = answering.behaviour
    if behaviour.disconnect_after is not None:
        answering.ends(len(answering.pieces), is_reported=False)
        return StreamingResponse(_broken(), media_type="application/json")
    message = {"role": "assistant", "content": "".join(answering.pieces)}
    choice = {"index": 0, "message": message, "finish_reason": answering.finish_reason}
    answer = {
        "id": answering.id,
        "object": "chat.completion",
        "created": int(time()),
        "model": answering.model,
        "choices": [choice],
    }
    if not behaviour.omit_usage:
        answer["usage"] = answering.usage
    answering.ends(len(answering.pieces), is_reported=not behaviour.omit_usage)
    return _json(answer)


async def _broken() -> AsyncIterator[bytes]:
    yield b'{"id":'
    raise ToldToBreakOff


async def _stream(answering: Answering, *, wants_usage: bool) -> AsyncIterator[bytes]:
    """Chunks as OpenAI sends them; what was generated is counted also when the reader goes away."""
    behaviour, sent, is_reported = answering.behaviour, 0, False
    frame = {
        "id": answering.id,
        "object": "chat.completion.chunk",
        "created": int(time()),
        "model": answering.model,
    }
    try:
        yield _chunk(frame, {"role": "assistant", "content": ""}, None)
        for piece in answering.pieces:
            if behaviour.chunk_delay_ms:
                await asyncio.sleep(behaviour.chunk_delay_ms / 1000)
            if sent == behaviour.disconnect_after:
                raise ToldToBreakOff
            yield _chunk(frame, {"content": piece}, None)
            sent += 1
        if behaviour.disconnect_after is not None:
            raise ToldToBreakOff
        yield _chunk(frame, {}, answering.finish_reason)
        if wants_usage and not behaviour.omit_usage:
            yield _data(frame | {"choices": [], "usage": answering.usage})
            is_reported = True
        yield b"data: [DONE]\n\n"
    finally:
        answering.ends(sent, is_reported=is_reported)


def _chunk(frame: dict[str, Any], delta: dict[str, str], finish_reason: str | None) -> bytes:
    return _data(frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _error(status: int, message: str, kind: str, code: str | None = None) -> Response:
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


if __name__ == "__main__":
    run(Settings())
