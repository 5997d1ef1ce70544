"""Whether files that an operator may change under a running process have changed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

EVERY_S: Final = 1.0
"""How often to look."""

State = tuple[tuple[str, int, int], ...]


def state_of(files: Iterable[Path]) -> State:
    """Another value as soon as one of them is another file, has other content, or is gone or there."""
    return tuple(_marks(files))


def _marks(files: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for file in files:
        try:
            known = file.stat()
        except OSError:
            yield str(file), 0, 0
        else:
            yield str(file), known.st_mtime_ns, known.st_ino
