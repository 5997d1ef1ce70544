"""Anthropic's messages. Source: docs.anthropic.com, "Messages", "Streaming Messages", "Errors".

Its `input_tokens` do not include those that were read from or written to a cache; ours do.
"""

# ruff: noqa: ARG002, D102 - the methods and their arguments are those of dialect

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kontor.billing.metering.answers import CUT, Refusal
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
    messages_of,
    objects,
    only_callers_tools,
    part,
    since_last_answer,
    text_in,
)
from kontor.billing.metering.dialects.events import Reader, content_of
from kontor.billing.metering.policy.notices import TAIL_CHARS
from kontor.billing.metering.usage import Source, Tokens, estimate, messages_usage
from kontor.core.i18n import Lang

TOOLS: Final = frozenset({"custom", "bash", "text_editor", "computer", "memory"})
HOSTED: Final = frozenset({"mcp_servers", "container"})

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0}


class Messages(Talk):
    """`POST /messages`."""

    name = "messages"
    path = "/messages"

    def _asked(self, fields: Fields, model: str) -> Asked:
        messages_of(fields)
        system = fields.get("system")
        if system is not None and not isinstance(system, str | list):
            raise NotUnderstood("'system' must be a text or a list of blocks.")
        most = count(fields, "max_tokens")
        if most is None:
            raise NotUnderstood("'max_tokens' must be a whole number above zero.")
        only_callers_tools(fields, TOOLS, HOSTED)
        return Asked(fields, model, is_stream=flag(fields, "stream"), most_output=most)

    def for_provider(
        self, asked: Asked, model: str, *, rules: str = "", refuses: frozenset[str] = frozenset()
    ) -> bytes:
        """The rules are a block of their own in front, so that the caller's marks for the cache stay where they are."""
        sent = asked.fields | {"model": model}
        if rules:
            system = sent.get("system") or []
            blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
            sent["system"] = [{"type": "text", "text": rules}, *blocks]
        return dumps({name: value for name, value in sent.items() if name not in refuses} if refuses else sent)

    def said(self, asked: Asked) -> str:
        return "\n".join(since_last_answer(asked.fields["messages"]))

    def reader(self, asked: Asked, missing: Missing | None = None) -> Reader:
        return MessagesReader(missing)

    def counted(self, answer: Mapping[str, Any]) -> Tokens | None:
        return messages_usage(answer.get("usage"))

    def complete(self, answer: Fields, missing: Missing) -> bool:
        content = answer.get("content")
        if answer.get("stop_reason") != "end_turn" or not isinstance(content, list):
            return False
        said = "".join(text_in(block, "text") for block in objects(content) if block.get("type") == "text")
        more = missing(said)
        if not more:
            return False
        last = content[-1]
        if isinstance(last, dict) and last.get("type") == "text" and isinstance(last.get("text"), str):
            last["text"] += more
        else:
            content.append({"type": "text", "text": more})
        return True

    def answer(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        return dumps(_message(asked, id_) | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"})

    def answer_stream(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        return (
            event("message_start", {"type": "message_start", "message": _message(asked, id_)})
            + _block(0, text)
            + event("message_delta", {"type": "message_delta", "delta": end, "usage": {"output_tokens": 0}})
            + event("message_stop", {"type": "message_stop"})
        )

    def problem(self, refusal: Refusal, lang: Lang) -> bytes:
        kind = _KINDS.get(refusal.status, "api_error")
        error = {"type": kind, "message": refusal.text(lang), "code": refusal.code}
        return dumps({"type": "error", "error": error})

    def cut(self, lang: Lang) -> bytes:
        return event("error", {"type": "error", "error": {"type": "api_error", "message": CUT(lang)}})


class MessagesReader(Reader):
    """Events of a message: input is counted in the first, output in the last but one.

    Without the last counts the first ones are no report: the output is guessed. What is missing at the end is a delta
    of the last block, whose end waits until it is known that no other follows: OpenClaw 2026.9.4 takes a second block
    of text for a new version of the first and drops the answer. After a block that is no text it is one of its own.
    """

    def __init__(self, missing: Missing | None = None) -> None:
        super().__init__()
        self._missing = missing
        self._begun: Tokens | None = None
        self._said = ""
        self._blocks = 0
        self._text: object = None  # the index of the block of text that is open
        self._held = b""  # the end of the last one

    def counted(self, sent_bytes: int) -> Tokens:
        if self.tokens is not None or self._begun is None:
            return super().counted(sent_bytes)
        guessed = estimate(sent_bytes, self.text_bytes)
        return replace(self._begun, output=max(self._begun.output, guessed.output), source=Source.ESTIMATED)

    def _looks_into(self, whole: bytes) -> bool:
        return self._missing is not None or b'"usage"' in whole or b"message_stop" in whole

    def finish(self) -> bytes:
        rest = super().finish()
        held, self._held = self._held, b""
        return rest + held

    def _event(self, raw: bytes) -> bytes:
        if not self._looks_into(raw):
            return raw
        content = content_of(raw)
        if content is None or content.get("type") == "ping":
            return raw
        held, self._held = self._held, b""
        match content.get("type"):
            case "message_start":
                self._begun = messages_usage({"output_tokens": 0, **part(part(content, "message"), "usage")})
            case "message_stop":
                self.is_done = True
            case "message_delta":
                self.tokens = messages_usage(content.get("usage"), since=self._begun) or self.tokens
                if self._missing is not None and part(content, "delta").get("stop_reason") == "end_turn":
                    return self._due(self._missing, held) + raw
            case "content_block_start":
                index = content.get("index")
                self._blocks = max(self._blocks, index + 1 if isinstance(index, int) else 0)
                self._text = index if part(content, "content_block").get("type") == "text" else None
            case "content_block_delta":
                self._said = (self._said + text_in(part(content, "delta"), "text"))[-TAIL_CHARS:]
            case "content_block_stop" if self._missing is not None and content.get("index") == self._text:
                self._held = raw
                return held
        return held + raw

    def _due(self, missing: Missing, held: bytes) -> bytes:
        more = missing(self._said)
        if not more:
            return held
        return _delta(self._text, more) + held if held else _block(self._blocks, more)


def _delta(index: object, text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})


def _block(index: int, text: str) -> bytes:
    empty = {"type": "text", "text": ""}
    return (
        event("content_block_start", {"type": "content_block_start", "index": index, "content_block": empty})
        + _delta(index, text)
        + event("content_block_stop", {"type": "content_block_stop", "index": index})
    )


def _message(asked: Asked, id_: str) -> Fields:
    return {
        "id": f"msg_{id_}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _NO_USAGE,
    }
