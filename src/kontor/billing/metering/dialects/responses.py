"""OpenAI's responses. Source: platform.openai.com/docs/api-reference/responses and /responses-streaming.

Nothing is stored at the provider: it would keep content for 30 days under an id that anybody with the operator's key
can read. So each request carries all of its conversation.
"""

# ruff: noqa: ARG002, D102 - the methods and their arguments are those of dialect

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kontor.billing.metering.answers import CUT, Refusal, openai_problem
from kontor.billing.metering.dialects.dialect import (
    Asked,
    Fields,
    Missing,
    NotUnderstood,
    Talk,
    count,
    dumps,
    event,
    flag,
    objects,
    only_callers_tools,
    part,
    since_last_answer,
    text_in,
)
from kontor.billing.metering.dialects.events import Reader, content_of
from kontor.billing.metering.usage import Tokens, responses_usage
from kontor.core.i18n import Lang

TOOLS: Final = frozenset({"function", "custom"})
HOSTED: Final = frozenset({"previous_response_id", "conversation", "background", "prompt", "store"})

_NUMBERS: Final = 2**53  # JSON's, RFC 8259 section 6
_ENDS: Final = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"')
_NO_USAGE: Final = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


class Responses(Talk):
    """`POST /responses`."""

    name = "responses"
    path = "/responses"

    def _asked(self, fields: Fields, model: str) -> Asked:
        given = fields.get("input")
        if not isinstance(given, str | list) or not given:
            raise NotUnderstood("'input' must be a text or a list that is not empty.")
        instructions = fields.get("instructions")
        if instructions is not None and not isinstance(instructions, str):
            raise NotUnderstood("'instructions' must be a text.")
        only_callers_tools(fields, TOOLS, HOSTED)
        return Asked(fields, model, is_stream=flag(fields, "stream"), most_output=count(fields, "max_output_tokens"))

    def for_provider(
        self, asked: Asked, model: str, *, rules: str = "", refuses: frozenset[str] = frozenset()
    ) -> bytes:
        sent = asked.fields | {"model": model, "store": False}
        if rules:
            given = sent.get("instructions")
            sent["instructions"] = f"{rules}\n\n{given}" if given else rules
        return dumps({name: value for name, value in sent.items() if name not in refuses} if refuses else sent)

    def said(self, asked: Asked) -> str:
        given = asked.fields["input"]
        return given if isinstance(given, str) else "\n".join(since_last_answer(given))

    def reader(self, asked: Asked, missing: Missing | None = None) -> Reader:
        return ResponsesReader(missing)

    def counted(self, answer: Mapping[str, Any]) -> Tokens | None:
        return responses_usage(answer.get("usage"))

    def complete(self, answer: Fields, missing: Missing) -> bool:
        last = _last_text(answer)
        if answer.get("status") != "completed" or last is None or not (more := missing(last["text"])):
            return False
        last["text"] += more
        return True

    def answer(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        return dumps(_response(asked, id_, now, "completed", [_message(id_, text)]))

    def answer_stream(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        events = enumerate(_events(asked, text, id_, now))
        return b"".join(event(of["type"], of | {"sequence_number": number}) for number, of in events)

    def problem(self, refusal: Refusal, lang: Lang) -> bytes:
        return openai_problem(refusal, lang)

    def cut(self, lang: Lang) -> bytes:
        return event(
            "error", {"type": "error", "code": "cut", "message": CUT(lang), "param": None, "sequence_number": 0}
        )


class ResponsesReader(Reader):
    """Events of a response; the last one carries the usage.

    What is missing at the end is a delta of its own before the last text is done; the events that repeat the whole text
    have it too, and events after it have their numbers raised.
    """

    def __init__(self, missing: Missing | None = None) -> None:
        super().__init__()
        self._missing = missing
        self._raised = 0
        self._is_final = True

    def _looks_into(self, whole: bytes) -> bool:
        return self._missing is not None or any(end in whole for end in _ENDS)

    def _event(self, raw: bytes) -> bytes:
        if not self._looks_into(raw):
            return raw
        content = content_of(raw)
        if content is None:
            return raw
        kind = content.get("type")
        if kind in {"response.completed", "response.incomplete", "response.failed"}:
            self.is_done = True
            self.tokens = responses_usage(part(content, "response").get("usage")) or self.tokens
        return raw if self._missing is None else self._completed(raw, content, self._missing)

    def _completed(self, raw: bytes, content: Fields, missing: Missing) -> bytes:
        before = b""
        kind, number = str(content.get("type")), _number_of(content)
        if kind == "response.output_text.done" and (more := missing(text_in(content, "text"))):
            names = ("item_id", "output_index", "content_index")
            delta: Fields = {name: content[name] for name in names if name in content}
            numbered = {"sequence_number": number + self._raised} if number is not None else {}
            delta |= {"type": "response.output_text.delta", "delta": more, "logprobs": []} | numbered
            before = event(delta["type"], delta)
            self._raised += 1
        if not self._raised:
            return raw
        if number is not None:
            content["sequence_number"] = number + self._raised
        for one in _texts_in(content):
            one["text"] += missing(one["text"]) or ""
        return before + event(kind, content)


def _number_of(content: Fields) -> int | None:
    """An event's number, where it is one that can be raised and written."""
    number = content.get("sequence_number")
    return number if isinstance(number, int) and abs(number) < _NUMBERS else None


def _texts_in(content: Fields) -> Iterator[Fields]:
    """The parts of an event that repeat a whole text."""
    match content.get("type"):
        case "response.output_text.done":
            if isinstance(content.get("text"), str):
                yield content
        case "response.content_part.done":
            yield from _text_parts([content.get("part")])
        case "response.output_item.done":
            yield from _text_parts(part(content, "item").get("content"))
        case "response.completed" | "response.incomplete":
            for item in objects(part(content, "response").get("output")):
                yield from _text_parts(item.get("content"))


def _text_parts(parts: object) -> Iterator[Fields]:
    for one in objects(parts):
        if one.get("type") == "output_text" and isinstance(one.get("text"), str):
            yield one


def _last_text(answer: Fields) -> Fields | None:
    found = None
    for item in objects(answer.get("output")):
        for text in _text_parts(item.get("content")):
            found = text
    return found


def _response(asked: Asked, id_: str, now: int, status: str, output: list[Fields]) -> Fields:
    return {
        "id": f"resp_{id_}",
        "object": "response",
        "created_at": now,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1,
        "usage": _NO_USAGE if status == "completed" else None,
    }


def _message(id_: str, text: str, status: str = "completed") -> Fields:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}] if text else []
    return {"id": f"msg_{id_}", "type": "message", "role": "assistant", "status": status, "content": content}


def _events(asked: Asked, text: str, id_: str, now: int) -> Iterator[Fields]:
    at = {"item_id": f"msg_{id_}", "output_index": 0, "content_index": 0}
    begun = _response(asked, id_, now, "in_progress", [])
    whole = _message(id_, text)
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield {"type": "response.output_item.added", "output_index": 0, "item": _message(id_, "", "in_progress")}
    yield {"type": "response.content_part.added", **at, "part": empty}
    yield {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": whole["content"][0]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": whole}
    yield {"type": "response.completed", "response": _response(asked, id_, now, "completed", [whole])}
