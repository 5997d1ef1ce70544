"""Reading along a server-sent stream while it passes. Pure, one object per stream.

Whole events are handed on byte for byte; a dialect's reader says which of them it has to look into, so that passing a
token costs a search and no parser. Source: WHATWG HTML, "Server-sent events".
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

import orjson

from kontor.billing.metering.usage import Source, Tokens, estimate

MOST_UNFINISHED_BYTES: Final = 4 * 1024 * 1024

_EVENT: Final = re.compile(rb".*?(?:\r\n\r\n|\n\n)", re.DOTALL)
_TEXT: Final = re.compile(
    rb'"(?:content|arguments|reasoning_content|refusal|delta|text|partial_json|thinking)"\s*:\s*"((?:[^"\\]|\\.)*)"'
)


class EventTooLong(ValueError):
    """An event without an end, longer than any provider sends."""


class Reader(ABC):
    """Feed it what comes; it says what goes on.

    `tokens` is None until the provider has reported, `is_done` true once its last event has come.
    """

    def __init__(self) -> None:
        self.tokens: Tokens | None = None
        self.is_done = False
        self.text_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The whole events so far that the caller may see. Raises EventTooLong."""
        if self._rest:
            data = self._rest + data
        end = max(_end(data, b"\n\n"), _end(data, b"\r\n\r\n"))
        if end == len(data):
            self._rest = b""
            return self._counting(data)
        whole, self._rest = data[:end], data[end:]
        if len(self._rest) > MOST_UNFINISHED_BYTES:
            raise EventTooLong
        return self._counting(whole) if whole else b""

    def finish(self) -> bytes:
        """What is left when the provider ended without an empty line."""
        rest, self._rest = self._rest, b""
        return self._counting(rest) if rest else b""

    def counted(self, sent_bytes: int) -> Tokens:
        """The provider's counts; else a guess by the size of what was sent and read."""
        return self.tokens or estimate(sent_bytes, self.text_bytes)

    def _counting(self, whole: bytes) -> bytes:
        passed = self._read(whole)
        if self.tokens is None or self.tokens.source is Source.ESTIMATED:
            self.text_bytes += sum(map(len, _TEXT.findall(whole)))
        return passed

    @abstractmethod
    def _read(self, whole: bytes) -> bytes:
        """What of some whole events goes on."""


def split(whole: bytes) -> Iterator[bytes]:
    """The single events, and what stands after the last one."""
    found = _EVENT.findall(whole)
    yield from found
    if tail := whole[sum(map(len, found)) :]:
        yield tail


def content_of(event: bytes) -> dict[str, Any] | None:
    """The JSON object in an event's data; None when there is none."""
    data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _end(data: bytes, mark: bytes) -> int:
    at = data.rfind(mark)
    return at + len(mark) if at >= 0 else 0
