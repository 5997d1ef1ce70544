"""A ZIP that is written as a stream: never whole in memory, never in the clear on a disk.

Owns safe names and the list of what is inside. What goes in: contents.
"""

import unicodedata
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final

from typing_extensions import Buffer

CHUNK_BYTES: Final = 256 * 1024
_LONGEST_NAME: Final = 120
_OWNER_ONLY: Final = 0o600 << 16
# Windows takes none of these in a name, and these devices for names of files.
_FORBIDDEN: Final = '<>:"|?*\\'
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(1, 10))}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive; the digest is that of its plain content."""

    path: str
    size_bytes: int
    sha256: str


class Archive:
    """Files go in one after the other, chunks of the ZIP come out. `at` is the files' time stamp."""

    def __init__(self, at: datetime) -> None:
        self.entries: list[Entry] = []
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        self._stamp = at.astimezone(UTC).timetuple()[:6]
        self._names: set[str] = set()

    async def add(self, path: str, pieces: AsyncIterator[str], *, is_large: bool = False) -> AsyncIterator[bytes]:
        """The file is inside when this is exhausted; yields the chunks of the ZIP that are ready.

        The name is made safe and unique. A file of more than 2 GiB must be announced by `is_large`.
        """
        info = zipfile.ZipInfo(self._unique(safe_path(path)), self._stamp)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _OWNER_ONLY
        digest, size = sha256(), 0
        with self._zip.open(info, "w", force_zip64=is_large) as file:
            async for piece in pieces:
                data = piece.encode("utf-8", "replace")
                digest.update(data)
                size += len(data)
                file.write(data)
                if self._sink.waiting >= CHUNK_BYTES:
                    yield self._sink.take()
        self.entries.append(Entry(info.filename, size, digest.hexdigest()))

    def finish(self) -> bytes:
        """The rest of the ZIP, with its directory."""
        self._zip.close()
        return self._sink.take()

    def _unique(self, path: str) -> str:
        pure, number, name = PurePosixPath(path), 1, path
        # Some file systems take names that differ only in case for the same.
        while name.casefold() in self._names:
            number += 1
            name = str(pure.with_name(f"{pure.stem}-{number}{pure.suffix}"))
        self._names.add(name.casefold())
        return name


class _Sink:
    """Where the ZIP goes; it cannot be rewound, so sizes and checksums follow each file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.waiting = 0

    def write(self, data: Buffer, /) -> int:
        piece = bytes(data)
        self._parts.append(piece)
        self.waiting += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing to do: it is all in memory."""

    def close(self) -> None:
        """Nothing to do either."""

    def take(self) -> bytes:
        taken, self._parts, self.waiting = b"".join(self._parts), [], 0
        return taken


def safe_path(path: str) -> str:
    """A relative path that stays below the folder in which a ZIP is unpacked, on any system.

    Parts that lead elsewhere are dropped, letters that some system forbids become an underscore.
    """
    parts = [_safe_part(part) for part in unicodedata.normalize("NFC", path).replace("\\", "/").split("/")]
    return "/".join(part for part in parts if part) or "unnamed"


def _safe_part(part: str) -> str:
    kept = "".join(
        "_" if letter in _FORBIDDEN or unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter
        for letter in part
    )
    kept = kept.rstrip(". ")[-_LONGEST_NAME:].lstrip(" ")
    if kept.partition(".")[0].casefold() in _DEVICES:
        return f"_{kept}"
    return kept
