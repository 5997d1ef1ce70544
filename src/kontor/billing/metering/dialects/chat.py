"""OpenAI's chat completions, as Mistral, vLLM, Ollama, Azure and Bedrock speak them too.

Source: platform.openai.com/docs/api-reference/chat (objects `chat.completion` and `chat.completion.chunk`).
"""

# ruff: noqa: D102 - what the methods are for: dialect

import re
from collections.abc import Mapping
from typing import Any, Final

from kontor.billing.metering.answers import CUT, Refusal, openai_problem
from kontor.billing.metering.dialects.dialect import (
    Asked,
    Fields,
    Missing,
    NotUnderstood,
    Talk,
    count,
    data,
    dumps,
    flag,
    messages_of,
    objects,
    only_callers_tools,
    part,
    since_last_answer,
    text_in,
)
from kontor.billing.metering.dialects.events import Reader, content_of, data_of
from kontor.billing.metering.policy.notices import TAIL_CHARS
from kontor.billing.metering.usage import Tokens, chat_usage
from kontor.core.i18n import Lang

TOOLS: Final = frozenset({"function", "custom"})
HOSTED: Final = frozenset({"web_search_options", "audio", "store"})

_NO_USAGE: Final = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
_DONE: Final = b"[DONE]"
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')


class Chat(Talk):
    """`POST /chat/completions`."""

    name = "chat"
    path = "/chat/completions"

    def _asked(self, fields: Fields, model: str) -> Asked:
        messages_of(fields)
        options = fields.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise NotUnderstood("'stream_options' must be an object.")
        if "tools" in fields or not HOSTED.isdisjoint(fields):
            only_callers_tools(fields, TOOLS, HOSTED)
        most = count(fields, "max_completion_tokens") or count(fields, "max_tokens")
        return Asked(
            fields,
            model,
            is_stream=flag(fields, "stream"),
            wants_usage=bool(options and options.get("include_usage") is True),
            most_output=most and most * (count(fields, "n") or 1),
        )

    def for_provider(
        self, asked: Asked, model: str, *, rules: str = "", refuses: frozenset[str] = frozenset()
    ) -> bytes:
        # A provider that refuses `stream_options` reports usage unasked; one that refuses `max_completion_tokens` knows
        # the older `max_tokens`.
        sent = asked.fields | {"model": model}
        if rules:
            sent["messages"] = [{"role": "system", "content": rules}, *sent["messages"]]
        if asked.is_stream and not asked.wants_usage:
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        if not refuses.isdisjoint(sent):
            if "max_completion_tokens" in refuses and "max_completion_tokens" in sent:
                sent.setdefault("max_tokens", sent["max_completion_tokens"])
            sent = {name: value for name, value in sent.items() if name not in refuses}
        return dumps(sent)

    def said(self, asked: Asked) -> str:
        return "\n".join(since_last_answer(asked.fields["messages"]))

    def reader(self, asked: Asked, missing: Missing | None = None) -> Reader:
        return ChatReader(strips_usage=not asked.wants_usage, missing=missing)

    def counted(self, answer: Mapping[str, Any]) -> Tokens | None:
        return chat_usage(answer.get("usage"))

    def complete(self, answer: Fields, missing: Missing) -> bool:
        changed = False
        for choice in objects(answer.get("choices")):
            message = part(choice, "message")
            text = text_in(message, "content")
            if choice.get("finish_reason") == "stop" and text and (more := missing(text)):
                message["content"] = text + more
                changed = True
        return changed

    def answer(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return dumps(_envelope("chat.completion", asked, id_, now) | {"choices": [choice], "usage": _NO_USAGE})

    def answer_stream(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        frame = _envelope("chat.completion.chunk", asked, id_, now)
        deltas: list[tuple[Mapping[str, str], str | None]] = [
            ({"role": "assistant", "content": text}, None),
            ({}, "stop"),
        ]
        chunks = [frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in deltas]
        if asked.wants_usage:
            chunks.append(frame | {"choices": [], "usage": _NO_USAGE})
        return b"".join(map(data, chunks)) + b"data: [DONE]\n\n"

    def problem(self, refusal: Refusal, lang: Lang) -> bytes:
        return openai_problem(refusal, lang)

    def cut(self, lang: Lang) -> bytes:
        # OpenClaw 2026.9.4 tries after a `server_error` up to 8 times in two minutes, each time from the beginning.
        return data({"error": {"message": CUT(lang), "type": "api_error", "code": "cut"}})


class ChatReader(Reader):
    """Chunks of a chat; the usage-only one that we asked for and the caller did not is left out."""

    def __init__(self, *, strips_usage: bool, missing: Missing | None = None) -> None:
        super().__init__()
        self._strips_usage = strips_usage
        self._missing = missing
        self._said: dict[str, str] = {}

    def _looks_into(self, whole: bytes) -> bool:
        if self._missing is not None or _DONE in whole:
            return True
        return b'"usage"' in whole and _USAGE.search(whole) is not None

    def _event(self, event: bytes) -> bytes:
        if _DONE in event and data_of(event).startswith(_DONE):
            self.is_done = True
            return event
        has_usage = _USAGE.search(event) is not None
        if not has_usage and self._missing is None:
            return event
        chunk = content_of(event)
        if chunk is None:
            return event
        if has_usage and isinstance(usage := chunk.get("usage"), dict):
            self.tokens = chat_usage(usage) or self.tokens
            if self._strips_usage and not chunk.get("choices"):
                return b""
        if self._missing is None:
            return event
        return self._completed(event, chunk, self._missing)

    def _completed(self, event: bytes, chunk: Fields, missing: Missing) -> bytes:
        before: list[Fields] = []
        for choice in objects(chunk.get("choices")):
            index, delta = str(choice.get("index", 0)), part(choice, "delta")
            self._said[index] = (self._said.get(index, "") + text_in(delta, "content"))[-TAIL_CHARS:]
            if choice.get("finish_reason") == "stop" and (more := missing(self._said[index])):
                # What the last chunk itself says comes before what is missing.
                text = text_in(delta, "content") + more
                delta.pop("content", None)
                before.append({"index": choice.get("index", 0), "delta": {"content": text}, "finish_reason": None})
        if not before:
            return event
        frame = {name: value for name, value in chunk.items() if name not in {"choices", "usage"}}
        return data(frame | {"choices": before}) + data(chunk)


def _envelope(kind: str, asked: Asked, id_: str, now: int) -> Fields:
    return {"id": f"chatcmpl-{id_}", "object": kind, "created": now, "model": asked.model}
