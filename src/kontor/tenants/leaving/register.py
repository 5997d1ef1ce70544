"""The register of erasures as a file of JSON lines, beside the folder of wrapped keys and outside the database."""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson

from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import ErasureId, PersonId, TenantId
from kontor.tenants.leaving.ports import Registered


class FolderRegister:
    """One line per entry, appended and synced under a lock of the file; lines are never changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def add(self, entry: Registered) -> None:
        """The entry survives a power cut from now on. The same one again changes nothing. Raises Unavailable."""
        try:
            await asyncio.to_thread(self._append, _line(entry))
        except OSError as error:
            raise _unavailable() from error

    async def entries(self) -> Sequence[Registered]:
        """One per erasure, in the order of their requests. A line that a power cut has torn is left out."""
        try:
            lines = await asyncio.to_thread(self._lines)
        except OSError as error:
            raise _unavailable() from error
        merged: dict[ErasureId, Registered] = {}
        for line in lines:
            entry = _entry(line)
            if entry is not None:
                known = merged.setdefault(entry.erasure, entry)
                persons = tuple(dict.fromkeys((*known.persons, *entry.persons)))
                merged[entry.erasure] = replace(known, persons=persons)
        return list(merged.values())

    def _append(self, line: bytes) -> None:
        is_new = not self._file.exists()
        with os.fdopen(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            if line in content.splitlines():
                return
            # A torn line of a power cut is closed first, so that it does not swallow this one.
            file.write((b"\n" if content and not content.endswith(b"\n") else b"") + line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            folder = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _lines(self) -> list[bytes]:
        return self._file.read_bytes().splitlines() if self._file.exists() else []


def _line(entry: Registered) -> bytes:
    return orjson.dumps(
        {
            "erasure": str(entry.erasure),
            "tenant": str(entry.tenant),
            "requested_at": entry.requested_at.isoformat(),
            "persons": [str(person) for person in entry.persons],
        }
    )


def _entry(line: bytes) -> Registered | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return Registered(
        ErasureId(UUID(found["erasure"])),
        TenantId(UUID(found["tenant"])),
        datetime.fromisoformat(found["requested_at"]),
        tuple(PersonId(UUID(person)) for person in found["persons"]),
    )


def _unavailable() -> Unavailable:
    return Unavailable(
        "erasure_register.unavailable",
        Text(
            de="Das Löschregister ist gerade nicht erreichbar.",
            en="The register of erasures cannot be reached just now.",
        ),
    )
