"""Talking to the assistant in OpenAI's form, by session or API key."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, Field

from kontor.app.api.chat_form import ChatIn, ChatRoute, text_of
from kontor.app.api.chat_stream import CONVERSATION, streamed, whole
from kontor.app.api.ids import ConversationIdText
from kontor.app.http.deps import Caller, ContainerDep, scoped
from kontor.app.http.errors import lang_of, problems
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Lang, Text
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.entry import Question
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.question import checked_text

router = APIRouter(prefix="/api/v1", tags=["chat"], route_class=ChatRoute)

Talker = Annotated[Caller, Depends(scoped("chat"))]


class StreamsAreNotRepeated(DomainError):
    """An Idempotency-Key with a stream."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.stream_not_idempotent",
            Text(
                de="Ein Stream lässt sich nicht wiederholen. Lassen Sie „Idempotency-Key“ oder „stream“ weg.",
                en="A stream cannot be repeated. Leave out 'Idempotency-Key' or 'stream'.",
            ),
        )


class AnswerMessage(BaseModel):
    """What the assistant said; at first contact the disclosure comes before it."""

    role: Literal["assistant"]
    content: str
    refusal: None = None


class Choice(BaseModel):
    """There is always one."""

    index: Literal[0]
    message: AnswerMessage
    logprobs: None = None
    finish_reason: str = Field(examples=["stop"])


class Usage(BaseModel):
    """Tokens of the model; none when the model was not asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """OpenAI's `chat.completion`. `id` is the answer's message id."""

    id: str = Field(examples=["msg_01h455vb4pex5vsknk084sn02q"])
    object: Literal["chat.completion"]
    created: int
    model: Literal["assistant"]
    choices: list[Choice]
    usage: Usage | None = None


_OK: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ChatCompletion,
        "description": "The answer; with `stream` as server-sent events of `chat.completion.chunk`.",
        "headers": {CONVERSATION: {"description": "The conversation's id", "schema": {"type": "string"}}},
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def origin_of(caller: Caller) -> Origin:
    """Who talks: the API key's program, or the person in the portal."""
    if caller.api_key is not None:
        return Origin(Channel.API, caller.api_key)
    assert caller.person is not None  # noqa: S101 - a caller is a key or a person
    return Origin(Channel.PORTAL, caller.person)


@router.post("/chat/completions", response_model=None, responses={**problems(409, 410), **_OK})
async def chat(
    *,
    body: ChatIn,
    request: Request,
    caller: Talker,
    container: ContainerDep,
    kontor_conversation: Annotated[ConversationIdText | None, Header()] = None,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Response:
    """The assistant's answer to the last message.

    The assistant remembers: `user` names your end user, and the same name goes on with the same conversation. Without
    it each request begins a new one, whose id comes back in `Kontor-Conversation`; send that header to go on.
    """
    text = checked_text(text_of(body))
    if body.stream and idempotency_key is not None:
        raise StreamsAreNotRepeated
    turn = container.desk.ask(
        Question(
            tenant=caller.tenant,
            origin=origin_of(caller),
            actor=caller.actor,
            text=text,
            user=body.user,
            conversation=kontor_conversation,
            lang=_asked_lang(request),
        )
    )
    if body.stream:
        return await streamed(turn, caller.lang, wants_usage=body.wants_usage)
    return await whole(turn, request)


def _asked_lang(request: Request) -> Lang | None:
    """The language that the caller asked for; None leaves it to the tenant's."""
    if "accept-language" in request.headers or "lang" in request.cookies:
        return lang_of(request)
    return None
