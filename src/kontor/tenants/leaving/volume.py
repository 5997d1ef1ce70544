"""What lies on an instance's volume, fetched through the runtime's read side, running or stopped.

Owns the copy of OpenClaw's database. Beside a running process it is consistent without locking: main file and
write-ahead log are copied log, main file, log; when the second log continues the first, no checkpoint has started it
anew in between, and it holds every page that the main file may have in a newer or torn state (sqlite.org/wal.html).
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from kontor.core.errors import NotFound, Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.runtime import Runtime, RuntimeFailure

DATABASE: Final = "agents/main/agent/openclaw-agent.sqlite"
CONFIGURATION: Final = "openclaw.json"
WORKSPACE: Final = "workspace"
MOST_FILES: Final = 200
LARGEST_FILE_BYTES: Final = 1024 * 1024
_TRIES: Final = 5
_READ_BYTES: Final = 1024 * 1024


class Volume:
    """One instance's files. Every call raises Unavailable when the runtime cannot read them just now."""

    def __init__(self, runtime: Runtime, instance: InstanceId) -> None:
        self._runtime = runtime
        self._instance = instance

    async def configuration(self) -> str | None:
        """openclaw.json as it lies there, or None."""
        found = next((path for path in await self._paths() if path.rpartition("/")[2] == CONFIGURATION), None)
        return None if found is None else await self._text(found)

    async def workspace(self) -> dict[str, str]:
        """The text files that tell the assistant who it is, by their path below the workspace; at most 200."""
        files: dict[str, str] = {}
        for path in await self._paths():
            folder, _, name = path.partition(f"{WORKSPACE}/")
            if (not folder or folder.endswith("/")) and name.endswith(".md") and len(files) < MOST_FILES:
                files[name] = await self._text(path)
        return files

    async def copy_database(self, folder: Path) -> Path | None:
        """A consistent copy of OpenClaw's database in `folder`, or None when it has none yet."""
        found = next((path for path in await self._paths() if path.endswith(DATABASE)), None)
        if found is None:
            return None
        copy, log, check = folder / "copy.sqlite", folder / "copy.sqlite-wal", folder / "check"
        for _ in range(_TRIES):
            await self._fetch(f"{found}-wal", log)
            if not await self._fetch(found, copy):
                return None
            await self._fetch(f"{found}-wal", check)
            if _continues(check, log):
                check.replace(log)
                return copy
        raise _unavailable()

    async def _paths(self) -> list[str]:
        try:
            return sorted(await self._runtime.list_files(self._instance))
        except RuntimeFailure as error:
            raise _unavailable() from error

    async def _text(self, path: str) -> str:
        content = b""
        async for chunk in self._chunks(path):
            content += chunk
            if len(content) > LARGEST_FILE_BYTES:
                break
        return content[:LARGEST_FILE_BYTES].decode("utf-8", "replace")

    async def _fetch(self, path: str, to: Path) -> bool:
        """Whether there is such a file; without one `to` is empty."""
        with _private(to) as file:
            try:
                async for chunk in self._chunks(path):
                    file.write(chunk)
            except NotFound:
                return False
        return True

    async def _chunks(self, path: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._runtime.read_file(self._instance, path):
                yield chunk
        except RuntimeFailure as error:
            raise _unavailable() from error


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _continues(later: Path, earlier: Path) -> bool:
    if later.stat().st_size < earlier.stat().st_size:
        return False
    with later.open("rb") as after, earlier.open("rb") as before:
        while piece := before.read(_READ_BYTES):
            if after.read(len(piece)) != piece:
                return False
    return True


def _unavailable() -> Unavailable:
    return Unavailable(
        "assistant.files_unavailable",
        Text(
            de="Die Dateien des Assistenten sind gerade nicht lesbar. Versuchen Sie es gleich noch einmal.",
            en="The assistant's files cannot be read just now. Please try again in a moment.",
        ),
    )
