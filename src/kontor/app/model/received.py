"""What the built-in model received last, as it came: a test can prove by it what a provider gets to see.

In memory only, never in a log; as many requests and bytes as fit. Kept only where a control token is set.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST: Final = 200
MOST_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One request; a header that came twice is there twice."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def size_bytes(self) -> int:
        """Its share of what may be kept."""
        return len(self.path) + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def as_dict(self) -> dict[str, object]:
        """For the control endpoint; the body as text, byte for byte where it is UTF-8."""
        return {"path": self.path, "headers": self.headers, "body": self.body.decode(errors="replace")}


class Received:
    """The last requests; the oldest go first."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._kept: deque[Kept] = deque()
        self._most = most
        self._most_bytes = most_bytes
        self._size_bytes = 0

    def keep(self, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """It is the last one. One that alone is too large pushes out all others and is not kept itself."""
        kept = Kept(path, tuple(headers), body)
        self._kept.append(kept)
        self._size_bytes += kept.size_bytes
        while len(self._kept) > self._most or self._size_bytes > self._most_bytes:
            self._size_bytes -= self._kept.popleft().size_bytes

    def last(self, number: int = MOST, containing: str = "") -> list[Kept]:
        """At most so many whose body contains this, oldest first."""
        found = [kept for kept in self._kept if containing.encode() in kept.body]
        return found[-number:] if number > 0 else []

    def forget(self) -> None:
        """None was received."""
        self._kept.clear()
        self._size_bytes = 0
