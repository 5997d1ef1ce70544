"""OpenAI's chat completions. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from kontor.app.model.answer import Answer, Part, Usage
from kontor.app.model.asked import Asked, Message, NotUnderstood, images_of, mappings, names_of, positive, text_of
from kontor.app.model.dialects.dialect import Dialect, Event, openai_error

_ROLES: Final = {"developer": "system", "function": "tool"}


def read(fields: Mapping[str, Any]) -> Asked:
    """The request; messages that are none count as silence."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise NotUnderstood("'messages' must be a list that is not empty.", "messages")
    functions = (tool.get("function") for tool in mappings(fields.get("tools")))
    return Asked(
        fields,
        messages_of(messages),
        most_tokens=positive(fields.get("max_completion_tokens") or fields.get("max_tokens")),
        tools=frozenset() if fields.get("tool_choice") == "none" else names_of(mappings(list(functions))),
        is_parallel=fields.get("parallel_tool_calls") is not False,
    )


def messages_of(messages: list[Any]) -> tuple[Message, ...]:
    """The list `messages` of a request."""
    return tuple(_message(message if isinstance(message, Mapping) else {}) for message in messages)


def whole(answer: Answer) -> dict[str, Any]:
    """A `chat.completion`."""
    called = [
        {"id": _call_id(answer, index), "type": "function", "function": {"name": part.tool, "arguments": part.text}}
        for index, part in enumerate(_calls(answer))
    ]
    said = "".join(part.text for part in answer.parts if part.tool is None)
    message = {"role": "assistant", "content": said if said or not called else None}
    choice = {
        "index": 0,
        "message": message | ({"tool_calls": called} if called else {}),
        "finish_reason": _finish_reason(answer),
    }
    completion = _frame(answer, "chat.completion") | {"choices": [choice]}
    return completion | ({"usage": _usage(answer.usage)} if answer.tells_usage else {})


def stream(answer: Answer) -> Iterator[Event]:
    """The chunks; usage in one of its own, to those who asked for it."""
    frame = _frame(answer, "chat.completion.chunk")
    yield _chunk(frame, {"role": "assistant", "content": None if answer.calls_tools else ""})
    called = 0
    for part in answer.parts:
        if part.tool is None:
            yield from (_chunk(frame, {"content": piece}, is_token=True) for piece in part.pieces)
            continue
        head = {"id": _call_id(answer, called), "type": "function", "function": {"name": part.tool, "arguments": ""}}
        yield _chunk(frame, {"tool_calls": [{"index": called} | head]})
        for piece in part.pieces:
            delta = {"index": called, "function": {"arguments": piece}}
            yield _chunk(frame, {"tool_calls": [delta]}, is_token=True)
        called += 1
    yield Event(_data(frame | {"choices": [_choice({}, _finish_reason(answer))]}), ends=True)
    options = answer.asked.fields.get("stream_options")
    if answer.tells_usage and isinstance(options, Mapping) and options.get("include_usage"):
        yield Event(_data(frame | {"choices": [], "usage": _usage(answer.usage)}), tells_usage=True)
    yield Event(b"data: [DONE]\n\n")


CHAT: Final = Dialect(read, whole, stream, openai_error)


def _message(message: Mapping[str, Any]) -> Message:
    role, content = message.get("role"), message.get("content")
    functions = mappings([call.get("function") for call in mappings(message.get("tool_calls"))])
    return Message(
        _ROLES.get(str(role), str(role)),
        text_of(content),
        images_of(content),
        tuple(f"{function.get('name')} {function.get('arguments')}" for function in functions),
    )


def _calls(answer: Answer) -> list[Part]:
    return [part for part in answer.parts if part.tool is not None]


def _call_id(answer: Answer, index: int) -> str:
    return f"call_{answer.id}{index}"


def _finish_reason(answer: Answer) -> str:
    return "length" if answer.is_cut else "tool_calls" if answer.calls_tools else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _frame(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created_at,
        "model": answer.asked.model,
    }


def _chunk(frame: dict[str, Any], delta: dict[str, Any], *, is_token: bool = False) -> Event:
    return Event(_data(frame | {"choices": [_choice(delta, None)]}), is_token=is_token)


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
