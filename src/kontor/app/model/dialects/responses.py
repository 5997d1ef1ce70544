"""OpenAI's Responses, without what needs a memory: no earlier response can be continued. Pure."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Final

from kontor.app.model.answer import Answer, Part, Usage
from kontor.app.model.asked import Asked, Message, NotUnderstood, images_of, mappings, names_of, positive, text_of
from kontor.app.model.dialects.dialect import Dialect, Event, named, openai_error

_ROLES: Final = {"developer": "system"}


def read(fields: Mapping[str, Any]) -> Asked:
    """The request; items that are neither said nor called nor returned by a tool are passed over."""
    earlier = fields.get("previous_response_id")
    if earlier is not None:
        raise NotUnderstood(
            f"Previous response with id '{earlier}' not found.", "previous_response_id", "previous_response_not_found"
        )
    given = fields.get("input")
    if not isinstance(given, str | list) or not given:
        raise NotUnderstood("'input' must be a string or a list that is not empty.", "input")
    said = (Message("user", given),) if isinstance(given, str) else tuple(filter(None, map(_message, mappings(given))))
    instructions = text_of(fields.get("instructions"))
    functions = [tool for tool in mappings(fields.get("tools")) if tool.get("type") == "function"]
    return Asked(
        fields,
        (Message("system", instructions), *said) if instructions else said,
        most_tokens=positive(fields.get("max_output_tokens")),
        tools=frozenset() if fields.get("tool_choice") == "none" else names_of(functions),
        is_parallel=fields.get("parallel_tool_calls") is not False,
    )


def whole(answer: Answer) -> dict[str, Any]:
    """A `response` that has ended."""
    return _response(answer, "incomplete" if answer.is_cut else "completed")


def stream(answer: Answer) -> Iterator[Event]:
    """The events in their order, numbered; the last holds the whole response."""
    numbers = count()

    def event(kind: str, /, *, is_token: bool = False, **fields: Any) -> Event:
        return Event(named(kind, {"type": kind, "sequence_number": next(numbers)} | fields), is_token=is_token)

    started = _response(answer, "in_progress")
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    for index, part in enumerate(answer.parts):
        item = _item(answer, index)
        place: dict[str, Any] = {"item_id": item["id"], "output_index": index}
        yield event("response.output_item.added", output_index=index, item=item | _empty(part))
        if part.tool is None:
            place |= {"content_index": 0}
            yield event("response.content_part.added", **place, part=_text(""))
            for piece in part.pieces:
                yield event("response.output_text.delta", is_token=True, **place, delta=piece, logprobs=[])
            yield event("response.output_text.done", **place, text=part.text, logprobs=[])
            yield event("response.content_part.done", **place, part=_text(part.text))
        else:
            for piece in part.pieces:
                yield event("response.function_call_arguments.delta", is_token=True, **place, delta=piece)
            yield event("response.function_call_arguments.done", **place, name=part.tool, arguments=part.text)
        yield event("response.output_item.done", output_index=index, item=item)
    ended = whole(answer)
    kind = f"response.{ended['status']}"
    last = {"type": kind, "sequence_number": next(numbers), "response": ended}
    yield Event(named(kind, last), ends=True, tells_usage=answer.tells_usage)


RESPONSES: Final = Dialect(read, whole, stream, openai_error)


def _message(item: Mapping[str, Any]) -> Message | None:
    kind = item.get("type", "message")
    if kind == "message":
        role, content = str(item.get("role")), item.get("content")
        return Message(_ROLES.get(role, role), text_of(content), images_of(content))
    if kind == "function_call":
        return Message("assistant", "", calls=(f"{item.get('name')} {item.get('arguments')}",))
    if kind == "function_call_output":
        return Message("tool", text_of(item.get("output")), images_of(item.get("output")))
    return None


def _response(answer: Answer, status: str) -> dict[str, Any]:
    """In progress it holds neither output nor usage."""
    fields, has_ended = answer.asked.fields, status != "in_progress"
    output = [_item(answer, index) for index in range(len(answer.parts))]
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created_at,
        "status": status,
        "background": False,
        "completed_at": answer.created_at if status == "completed" else None,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": fields.get("instructions"),
        "max_output_tokens": fields.get("max_output_tokens"),
        "max_tool_calls": fields.get("max_tool_calls"),
        "model": answer.asked.model,
        "output": output if has_ended else [],
        "parallel_tool_calls": answer.asked.is_parallel,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": fields.get("temperature", 1.0),
        "text": fields.get("text") or {"format": {"type": "text"}},
        "tool_choice": fields.get("tool_choice") or "auto",
        "tools": mappings(fields.get("tools")),
        "top_logprobs": 0,
        "top_p": fields.get("top_p", 1.0),
        "truncation": fields.get("truncation") or "disabled",
        "usage": _usage(answer.usage) if has_ended and answer.tells_usage else None,
        "user": fields.get("user"),
        "metadata": fields.get("metadata") or {},
    }


def _item(answer: Answer, index: int) -> dict[str, Any]:
    """A part of the answer as an item of the output; only the last can have been cut."""
    part, is_last = answer.parts[index], index == len(answer.parts) - 1
    item = {"id": _item_id(answer, index), "status": "incomplete" if answer.is_cut and is_last else "completed"}
    if part.tool is None:
        return item | {"type": "message", "role": "assistant", "content": [_text(part.text)]}
    called = {"call_id": f"call_{answer.id}{index}", "name": part.tool, "arguments": part.text}
    return item | {"type": "function_call"} | called


def _empty(part: Part) -> dict[str, Any]:
    """What an item says of itself before anything of it was said."""
    nothing: dict[str, Any] = {"content": []} if part.tool is None else {"arguments": ""}
    return {"status": "in_progress"} | nothing


def _item_id(answer: Answer, index: int) -> str:
    return f"{'msg' if answer.parts[index].tool is None else 'fc'}_{answer.id}{index}"


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
