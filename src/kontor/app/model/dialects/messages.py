"""Anthropic's Messages. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from kontor.app.model.answer import Answer, Part
from kontor.app.model.asked import Asked, Message, NotUnderstood, images_of, mappings, names_of, positive, text_of
from kontor.app.model.dialects.dialect import Dialect, Event, Failure, named

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""https://platform.claude.com/docs/en/api/errors"""
_FIRST_SERVER_ERROR: Final = 500
_OWN_TOOLS: Final = (None, "custom")


def read(fields: Mapping[str, Any]) -> Asked:
    """The request; a tool's result is a message of its own."""
    messages, most_tokens = fields.get("messages"), positive(fields.get("max_tokens"))
    if most_tokens is None:
        raise NotUnderstood("max_tokens: Field required, a number of at least 1")
    if not isinstance(messages, list) or not messages:
        raise NotUnderstood("messages: Field required, a list of at least one message")
    said = [each for message in mappings(messages) for each in _messages(message)]
    system = text_of(fields.get("system"))
    choice = fields.get("tool_choice")
    choice = choice if isinstance(choice, Mapping) else {}
    tools = [tool for tool in mappings(fields.get("tools")) if tool.get("type") in _OWN_TOOLS]
    return Asked(
        fields,
        (*([Message("system", system)] if system else []), *said),
        most_tokens=most_tokens,
        tools=frozenset() if choice.get("type") == "none" else names_of(tools),
        is_parallel=choice.get("disable_parallel_tool_use") is not True,
    )


def whole(answer: Answer) -> dict[str, Any]:
    """A `message`."""
    blocks = [_block(answer, index) | _filled(part) for index, part in enumerate(answer.parts)]
    ended = {"content": blocks, "stop_reason": _stop_reason(answer)}
    return _message(answer) | ended | _told(answer, answer.usage.output_tokens)


def stream(answer: Answer) -> Iterator[Event]:
    """The events in their order; what the request costs stands at the head, the output tokens at the end."""
    yield _event("message_start", message=_message(answer) | _told(answer, 1))
    for index, part in enumerate(answer.parts):
        yield _event("content_block_start", index=index, content_block=_block(answer, index))
        if index == 0:
            yield _event("ping")
        kind, name = ("text_delta", "text") if part.tool is None else ("input_json_delta", "partial_json")
        if part.tool is not None:
            yield _event("content_block_delta", index=index, delta={"type": kind, name: ""})
        for piece in part.pieces:
            yield _event("content_block_delta", is_token=True, index=index, delta={"type": kind, name: piece})
        yield _event("content_block_stop", index=index)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    ended = {"type": "message_delta", "delta": delta} | _told(answer, answer.usage.output_tokens)
    yield Event(named("message_delta", ended), ends=True, tells_usage=answer.tells_usage)
    yield _event("message_stop")


def error(failure: Failure) -> dict[str, Any]:
    """Its kind follows from the status."""
    otherwise = "api_error" if failure.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
    told = {"type": _KINDS.get(failure.status, otherwise), "message": failure.message}
    return {"type": "error", "error": told | ({"details": {"error_code": failure.code}} if failure.code else {})}


MESSAGES: Final = Dialect(read, whole, stream, error)


def _messages(message: Mapping[str, Any]) -> list[Message]:
    role, content = str(message.get("role")), message.get("content")
    if isinstance(content, str):
        return [Message(role, content)]
    blocks = mappings(content)
    results = [block.get("content") for block in blocks if block.get("type") == "tool_result"]
    calls = tuple(
        f"{block.get('name')} {orjson.dumps(block.get('input')).decode()}"
        for block in blocks
        if block.get("type") == "tool_use"
    )
    said = Message(role, text_of(blocks), images_of(blocks), calls)
    is_silent = bool(results) and not said.text and not said.images
    returned = [Message("tool", text_of(result), images_of(result)) for result in results]
    return returned if is_silent else [*returned, said]


def _message(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _block(answer: Answer, index: int) -> dict[str, Any]:
    """A part of the answer before anything of it was said."""
    tool = answer.parts[index].tool
    if tool is None:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_{answer.id}{index}", "name": tool, "input": {}}


def _filled(part: Part) -> dict[str, Any]:
    if part.tool is None:
        return {"text": part.text}
    try:
        return {"input": orjson.loads(part.text)}
    except orjson.JSONDecodeError:  # cut at `max_tokens`
        return {"input": {}}


def _stop_reason(answer: Answer) -> str:
    return "max_tokens" if answer.is_cut else "tool_use" if answer.calls_tools else "end_turn"


def _told(answer: Answer, output_tokens: int) -> dict[str, Any]:
    if not answer.tells_usage:
        return {}
    cost = answer.usage
    usage: dict[str, Any] = {
        "input_tokens": cost.fresh_tokens,
        "cache_creation_input_tokens": cost.cache_write_tokens,
        "cache_read_input_tokens": cost.cached_tokens,
        "output_tokens": output_tokens,
    }
    if cost.reasoning_tokens and output_tokens == cost.output_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": cost.reasoning_tokens}
    return {"usage": usage}


def _event(kind: str, /, *, is_token: bool = False, **fields: Any) -> Event:
    return Event(named(kind, {"type": kind} | fields), is_token=is_token)
