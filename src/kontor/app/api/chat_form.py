"""OpenAI's chat API as far as we speak it: what is taken, and what a refusal looks like to its clients.

A parameter that does not go on to the assistant is refused by name, never ignored. Refusals are problems (RFC 9457)
with one more member, `error`, in the form that OpenAI's clients read; what is wrong with a request is 400, as there.
Source: platform.openai.com/docs/api-reference/chat/create and /error-codes.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from kontor.app.http.errors import MEDIA_TYPE, STATUS, from_domain, lang_of
from kontor.app.http.idempotency import IdempotentRoute
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Lang, Text

MODEL: Final = "assistant"
BAD_REQUEST: Final = 400
# The instance may have worked on the message: a client that repeats it by itself would have it answered twice. A limit
# of turns holds until a day or a month is over, longer than any client waits.
NOT_TO_REPEAT: Final = frozenset({"assistant.cut", "assistant.not_answering", "chat.turn_limit"})


class PartIn(BaseModel):
    """A part of a message; only text is taken."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(max_length=100, examples=["text"])
    text: str | None = Field(None, max_length=100_000)


class MessageIn(BaseModel):
    """A message. Only the last one goes on: the assistant keeps the conversation itself."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[PartIn] | None = Field(None, examples=["Wann haben Sie samstags geöffnet?"])


class StreamOptionsIn(BaseModel):
    """What a stream tells besides the answer."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False


class ChatIn(BaseModel):
    """One new message for the assistant."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "messages": [{"role": "user", "content": "Wann haben Sie samstags geöffnet?"}],
                    "user": "customer-4711",
                }
            ]
        },
    )

    model: str = Field(max_length=200, description="`assistant`", examples=[MODEL])
    messages: list[MessageIn] = Field(min_length=1, max_length=1000)
    stream: bool | None = None
    stream_options: StreamOptionsIn | None = None
    user: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Your own name for the end user: the same name continues the same conversation.",
    )

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        return self.stream_options is not None and self.stream_options.include_usage


class ParameterNotSupported(DomainError):
    """It would have no effect."""

    def __init__(self, name: str) -> None:
        name = _shown(name)
        super().__init__(
            Kind.INVALID,
            "chat.parameter_not_supported",
            Text(
                de=f"„{name}“ wird nicht unterstützt. Möglich sind model, messages, stream, "
                "stream_options.include_usage und user.",
                en=f"'{name}' is not supported. Possible are model, messages, stream, stream_options.include_usage "
                "and user.",
            ),
        )
        self.param = name


class RequestNotUnderstood(DomainError):
    """A value does not fit."""

    def __init__(self, name: str, why: str) -> None:
        name, why = _shown(name), _shown(why)
        super().__init__(
            Kind.INVALID,
            "chat.request_invalid",
            Text(de=f"Die Anfrage passt nicht: {name}: {why}", en=f"The request does not fit: {name}: {why}"),
        )
        self.param = name


class UnknownModel(DomainError):
    """There is one model here."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.model_unknown",
            Text(
                de=f"Hier antwortet nur der Assistent. Setzen Sie „model“ auf „{MODEL}“.",
                en=f"Only the assistant answers here. Set 'model' to '{MODEL}'.",
            ),
        )
        self.param = "model"


class ContentNotSupported(DomainError):
    """Something other than text."""

    def __init__(self, kind: str) -> None:
        kind = _shown(kind)
        super().__init__(
            Kind.INVALID,
            "chat.content_not_supported",
            Text(
                de=f"Der Assistent liest nur Text; „{kind}“ kann er nicht annehmen.",
                en=f"The assistant reads text only; it cannot take '{kind}'.",
            ),
        )
        self.param = "messages"


class LastIsNotUser(DomainError):
    """There is nothing new to answer."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.last_message_not_user",
            Text(
                de="Die letzte Nachricht muss von der Rolle „user“ sein; nur sie geht an den Assistenten.",
                en="The last message must have the role 'user'; only that one goes to the assistant.",
            ),
        )
        self.param = "messages"


def text_of(body: ChatIn) -> str:
    """The new message. Raises ParameterNotSupported, UnknownModel, LastIsNotUser, ContentNotSupported."""
    if body.model != MODEL:
        raise UnknownModel
    if body.stream_options is not None and not body.stream:
        raise ParameterNotSupported("stream_options")
    last = body.messages[-1]
    if last.role != "user":
        raise LastIsNotUser
    unknown = sorted(last.model_extra or {})
    if unknown:
        raise ParameterNotSupported(f"messages.{unknown[0]}")
    if not isinstance(last.content, list):
        return last.content or ""
    for part in last.content:
        if part.type != "text" or part.text is None:
            raise ContentNotSupported(part.type)
    return "\n".join(part.text or "" for part in last.content)


class ChatRoute(IdempotentRoute):
    """Refusals carry `error` for OpenAI's clients, and a request that does not fit is 400."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the original one."""
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await original(request)
            except RequestValidationError as error:
                return refusal(_first(error.errors()), lang_of(request))
            except HTTPException as error:
                if error.status_code != BAD_REQUEST:
                    raise
                return refusal(RequestNotUnderstood("body", "must be JSON in UTF-8"), lang_of(request))
            except DomainError as error:
                return refusal(error, lang_of(request))

        return handler


def refusal(error: DomainError, lang: Lang) -> Response:
    """The problem with its `error`."""
    response = from_domain(error, lang)
    problem = orjson.loads(response.body)
    if error.kind is Kind.INVALID:
        problem |= {"status": BAD_REQUEST, "title": "Bad Request"}
    headers = {name: value for name, value in response.headers.items() if name in {"retry-after", "www-authenticate"}}
    if error.code in NOT_TO_REPEAT:
        headers["x-should-retry"] = "false"
    content = orjson.dumps({**problem, "error": error_object(error, lang)})
    return Response(content, problem["status"], headers, media_type=MEDIA_TYPE)


def error_object(error: DomainError, lang: Lang) -> dict[str, str | None]:
    """A refusal in OpenAI's form."""
    return {
        "message": error.sentence(lang),
        "type": _TYPES.get(error.kind, "server_error" if STATUS[error.kind] >= 500 else "invalid_request_error"),  # noqa: PLR2004 - RFC 9110, 15.6
        "param": getattr(error, "param", None),
        "code": error.code,
    }


def _shown(text: str) -> str:
    """What a caller sent, fit to be sent back: short, and with halves of surrogate pairs written out."""
    return text.encode("utf-8", "backslashreplace").decode()[:200]


_TYPES: Final = {
    Kind.UNAUTHENTICATED: "authentication_error",
    Kind.FORBIDDEN: "permission_error",
    Kind.LIMITED: "rate_limit_error",
}


def _first(found: Sequence[Any]) -> DomainError:
    item = found[0]
    name = ".".join(str(part) for part in item["loc"][1:])
    if item["type"] == "extra_forbidden":
        return ParameterNotSupported(name)
    return RequestNotUnderstood(name or "body", str(item["msg"]))
