"""What a dialect is: how to read a request, and how an answer, its stream and an error look in it. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kontor.app.model.answer import Answer
from kontor.app.model.asked import Asked, NotUnderstood


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream. After the last token comes one that `ends`; one `tells_usage` with the final numbers."""

    data: bytes
    is_token: bool = False
    ends: bool = False
    tells_usage: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What goes wrong with a request, before it is put into a dialect."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    is_callers: bool = False

    @classmethod
    def of(cls, why: NotUnderstood) -> "Failure":
        """The request is at fault."""
        return cls(400, str(why), why.code, why.param, is_callers=True)


@dataclass(frozen=True, slots=True)
class Dialect:
    """`read` raises NotUnderstood."""

    read: Callable[[Mapping[str, Any]], Asked]
    whole: Callable[[Answer], dict[str, Any]]
    stream: Callable[[Answer], Iterator[Event]]
    error: Callable[[Failure], dict[str, Any]]


def fields_of(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises NotUnderstood for anything else."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotUnderstood("The body is not valid JSON.") from error
    if not isinstance(fields, dict):
        raise NotUnderstood("The body must be a JSON object.")
    return fields


def named(kind: str, value: Mapping[str, Any]) -> bytes:
    """An event with a name, in the form of a server-sent event."""
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def openai_error(failure: Failure) -> dict[str, Any]:
    """As OpenAI's interfaces tell it."""
    kind = "invalid_request_error" if failure.is_callers else "server_error"
    return {"error": {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code}}
