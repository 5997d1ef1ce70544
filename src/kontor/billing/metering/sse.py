"""Reading along a server-sent stream of chat completion chunks while it passes. Pure, one object per stream.

Whole events are handed on byte for byte; the usage-only chunk that we asked for and the caller did not is left out.
JSON is parsed only where a usage object shows up, so that passing a token costs a search and no parser.
Source: platform.openai.com/docs/api-reference/chat/streaming; WHATWG HTML, "Server-sent events".
"""

import re
from typing import Final

import orjson

from kontor.billing.metering.usage import Tokens, read_usage

MOST_UNFINISHED_BYTES: Final = 4 * 1024 * 1024

_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
_TEXT: Final = re.compile(rb'"(?:content|arguments|reasoning_content|refusal)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_DONE: Final = re.compile(rb"^data:\s*\[DONE\]", re.MULTILINE)
_EVENT: Final = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.DOTALL)


class EventTooLong(ValueError):
    """An event without an end, longer than any provider sends."""


class Reader:
    """Feed it what comes; it says what goes on. `tokens` is None until the provider has reported."""

    def __init__(self, *, strips_usage: bool) -> None:
        self.tokens: Tokens | None = None
        self.is_done = False
        self.text_bytes = 0
        self._strips_usage = strips_usage
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The whole events so far that the caller may see. Raises EventTooLong."""
        data = self._rest + data if self._rest else data
        end = max(_end(data, b"\n\n"), _end(data, b"\r\n\r\n"))
        whole, self._rest = data[:end], data[end:]
        if len(self._rest) > MOST_UNFINISHED_BYTES:
            raise EventTooLong
        return self._read(whole) if whole else b""

    def finish(self) -> bytes:
        """What is left when the provider ended without an empty line."""
        rest, self._rest = self._rest, b""
        return self._read(rest) if rest else b""

    def _read(self, whole: bytes) -> bytes:
        self.text_bytes += sum(len(text) for text in _TEXT.findall(whole))
        if not self.is_done and b"[DONE]" in whole and _DONE.search(whole):
            self.is_done = True
        if _USAGE.search(whole) is None:
            return whole
        events = _EVENT.findall(whole)
        tail = whole[sum(map(len, events)) :]
        return b"".join(event for event in [*events, tail] if event and not self._is_ours(event))

    def _is_ours(self, event: bytes) -> bool:
        """Takes the usage out of one event; whether the event is the chunk that only we asked for."""
        if _USAGE.search(event) is None:
            return False
        try:
            chunk = orjson.loads(b"\n".join(_data(event)))
        except orjson.JSONDecodeError:
            return False
        if not isinstance(chunk, dict):
            return False
        tokens = read_usage(chunk.get("usage"))
        if tokens is None:
            return False
        self.tokens = tokens
        return self._strips_usage and not chunk.get("choices")


def _end(data: bytes, boundary: bytes) -> int:
    found = data.rfind(boundary)
    return found + len(boundary) if found >= 0 else 0


def _data(event: bytes) -> list[bytes]:
    return [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
