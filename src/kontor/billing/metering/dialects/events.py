"""Reading along a server-sent stream while it passes. Pure, one object per stream.

Whole events are handed on byte for byte; a dialect's reader says which of them it has to look into, so that passing a
token costs a search and no parser. Source: WHATWG HTML, "Server-sent events".
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final

import orjson

from kontor.billing.metering.usage import Tokens, estimate

MOST_UNFINISHED_BYTES: Final = 4 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_EOL: Final = rb"(?:\r\n|\n|\r(?!\n))"
_EVENT: Final = re.compile(rb"%b+|.+?%b%b" % (_EOL, _EOL, _EOL), re.DOTALL)
_LAST_END: Final = re.compile(rb".*%b(?:\r\n|\n|\r(?!\n|\Z))" % _EOL, re.DOTALL)
"""To the end of the last event; a CR that came last may be half of a line's end."""

_LONGEST_END: Final = 4
_TEXT: Final = re.compile(
    rb'"(?:content|arguments|reasoning_content|refusal|delta|text|partial_json|thinking)"[ \t]*:[ \t]*'
    rb'"((?:[^"\\\r\n]|\\[^\r\n])*)"'
)


class BadStream(ValueError):
    """An event without an end, longer than any provider sends."""


class Reader(ABC):
    """Feed it what comes; it says what goes on.

    `tokens` is None until the provider has reported, `is_done` true once its last event has come: what follows that is
    counted and goes nowhere. However the stream is cut into pieces, the same goes on.
    """

    def __init__(self) -> None:
        self.tokens: Tokens | None = None
        self.is_done = False
        self.text_bytes = 0
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The whole events so far that the caller may see. Raises BadStream."""
        searched = 0
        if self._rest:
            searched = max(len(self._rest) - _LONGEST_END + 1, 0)
            data = self._rest + data
        end = _end(data, searched)
        if end == len(data):
            self._rest = b""
            return self._read(data)
        whole, self._rest = data[:end], data[end:]
        if len(self._rest) > MOST_UNFINISHED_BYTES:
            raise BadStream("an event without an end")
        return self._read(whole) if whole else b""

    def finish(self) -> bytes:
        """What is left when the provider ended without an empty line."""
        rest, self._rest = self._rest, b""
        return self._read(rest) if rest else b""

    def counted(self, sent_bytes: int) -> Tokens:
        """The provider's counts; else a guess by the size of what was sent and read."""
        return self.tokens or estimate(sent_bytes, self.text_bytes)

    def _read(self, whole: bytes) -> bytes:
        """What of some whole events goes on."""
        self.text_bytes += sum(map(len, _TEXT.findall(whole)))
        if not self.is_done and not self._looks_into(whole):
            return whole
        return b"".join(map(self._one, _split(whole)))

    def _one(self, event: bytes) -> bytes:
        was_done = self.is_done
        passed = self._event(event)
        return b"" if was_done else passed

    @abstractmethod
    def _looks_into(self, whole: bytes) -> bool:
        """Whether one of some whole events may matter. Cheap: most pass on this answer alone."""

    @abstractmethod
    def _event(self, event: bytes) -> bytes:
        """What goes on in place of one event."""


def data_of(event: bytes) -> bytes:
    """An event's data, its lines joined."""
    lines = event.removeprefix(_BOM).splitlines()
    return b"\n".join([line[5:].strip() for line in lines if line.startswith(b"data:")])


def _split(whole: bytes) -> Iterator[bytes]:
    """The single events, empty lines before one by themselves, and what stands after the last one."""
    found = _EVENT.findall(whole)
    yield from found
    if tail := whole[sum(map(len, found)) :]:
        yield tail


def content_of(event: bytes) -> dict[str, Any] | None:
    """The JSON object in an event's data; None when there is none."""
    try:
        content = orjson.loads(data_of(event))
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _end(data: bytes, searched: int) -> int:
    """Where the last whole event ends, 0 for nowhere; it does not before `searched`."""
    if data.find(b"\r", searched) < 0:
        at = data.rfind(b"\n\n", searched)
        return at + 2 if at >= 0 else 0
    found = _LAST_END.match(data, searched)
    return found.end() if found else 0
