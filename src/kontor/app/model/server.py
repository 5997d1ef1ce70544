"""The built-in model's process: the dialects of OpenAI and Anthropic over HTTP, and controls for tests.

Answers come from rules, token counts from tokens, forms from the dialects. The controls exist only when the process
was started with a control token; without one nothing of a conversation is kept.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kontor.app.model import tokens
from kontor.app.model.answer import Answer, Usage, length, parts_of, shortened
from kontor.app.model.asked import NAME, Asked, NotUnderstood
from kontor.app.model.behaviour import Behaviour, Ledger, Script
from kontor.app.model.control import Control
from kontor.app.model.conversation import Conversation, conversation_of
from kontor.app.model.dialects import embeddings
from kontor.app.model.dialects.chat import CHAT
from kontor.app.model.dialects.dialect import Dialect, Failure, fields_of, openai_error
from kontor.app.model.dialects.messages import MESSAGES
from kontor.app.model.dialects.responses import RESPONSES
from kontor.app.model.meeting import Meeting, ToldToBreakOff, json
from kontor.app.model.received import Received
from kontor.core import telemetry
from kontor.core.ids import new_id
from kontor.core.settings import Settings


def application(control_token: str | None = None) -> Starlette:
    """The model; with a token also its controls, which ask for it as a bearer."""
    script, ledger = Script(), Ledger()
    received = Received() if control_token else None
    model = _Model(script, ledger, received)
    routes = [
        Route("/v1/chat/completions", model.speaks(CHAT), methods=["POST"]),
        Route("/v1/responses", model.speaks(RESPONSES), methods=["POST"]),
        Route("/v1/messages", model.speaks(MESSAGES), methods=["POST"]),
        Route("/v1/embeddings", model.embed, methods=["POST"]),
        Route("/v1/models", _models),
        Route("/healthz", _healthy),
        Route("/readyz", _healthy),
    ]
    if control_token and received is not None:
        routes += Control(control_token, script, ledger, received).routes()
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
    def __init__(self, script: Script, ledger: Ledger, received: Received | None) -> None:
        self._script = script
        self._ledger = ledger
        self._received = received

    def speaks(self, dialect: Dialect) -> Callable[[Request], Awaitable[Response]]:
        """Answers requests in a dialect."""

        async def answer(request: Request) -> Response:
            try:
                asked = dialect.read(fields_of(await self._body(request)))
            except NotUnderstood as why:
                return json(dialect.error(Failure.of(why)), 400)
            conversation = conversation_of(asked.messages)
            meeting = self._meeting(request, conversation.question, asked.model)
            if failed := await meeting.begins(dialect.error):
                return failed
            said = _answer(asked, conversation, meeting.behaviour)
            if asked.is_stream:
                return meeting.streamed(dialect.stream(said), said.usage)
            return meeting.whole(dialect.whole(said), said.usage)

        return answer

    async def embed(self, request: Request) -> Response:
        """Vectors for texts."""
        try:
            wanted = embeddings.read(fields_of(await self._body(request)))
        except NotUnderstood as why:
            return json(openai_error(Failure.of(why)), 400)
        meeting = self._meeting(request, wanted.text, wanted.model)
        if failed := await meeting.begins(openai_error):
            return failed
        return meeting.whole(embeddings.embedded(wanted, tells_usage=not meeting.behaviour.omit_usage), wanted.usage)

    async def _body(self, request: Request) -> bytes:
        body = await request.body()
        if self._received is not None:
            self._received.keep(request.url.path, request.headers.items(), body)
        return body

    def _meeting(self, request: Request, question: str, model: str) -> Meeting:
        today = datetime.now(UTC).date().isoformat()
        return Meeting(self._script.next_for(question), self._ledger.of(_key(request), question, model, today))


def _answer(asked: Asked, conversation: Conversation, behaviour: Behaviour) -> Answer:
    parts = parts_of(asked, conversation, behaviour.answer)
    said = shortened(parts, asked.most_tokens)
    return Answer(
        asked,
        id=new_id().hex,
        created_at=int(time()),
        parts=said,
        is_cut=length(said) < length(parts),
        usage=_usage(tokens.count_request(asked.messages), length(said), behaviour),
        tells_usage=not behaviour.omit_usage,
    )


def _usage(input_tokens: int, said_tokens: int, behaviour: Behaviour) -> Usage:
    """No more can have been cached than there was."""
    cached = min(behaviour.cached_tokens, input_tokens)
    written = min(behaviour.cache_write_tokens, input_tokens - cached)
    return Usage(input_tokens, said_tokens, cached, written, behaviour.reasoning_tokens)


def _key(request: Request) -> str:
    """What the caller calls with; nothing is checked."""
    return request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")


async def _models(_: Request) -> Response:
    listed = [{"id": NAME, "object": "model", "created": 1_767_225_600, "owned_by": "kontor"}]
    return json({"object": "list", "data": listed})


async def _healthy(_: Request) -> Response:
    return json({"status": "ok"})


if __name__ == "__main__":
    run(Settings())
