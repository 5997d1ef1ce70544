"""One file of the journal: preallocated slots, written by one process, readable by any.

Owns the file's form, its lock and the cursor up to which Postgres has it. Slot 0 is the header, the others hold
records in the order in which they were written. Who opens and removes segments: journal.
"""

import fcntl
import mmap
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from kontor.billing.metering.record import EMPTY, SLOT, Call, Damaged, Mark, pack, unpack

log = structlog.get_logger(__name__)

SUFFIX: Final = ".journal"
_MAGIC: Final = b"KNTRJNL1"
_CURSOR_AT: Final = 16
_WRITER_AT: Final = 32
_CURSOR: Final = struct.Struct(">II")
_READ_SLOTS: Final = 1024
_KEPT_CALLS: Final = 4096

DAMAGED = Counter("kontor_gateway_journal_damaged_total", "Journal slots that hold no readable record")


class Segment:
    """An open, locked file of the process `writer`. `used` slots are written, those before `cursor` are in Postgres."""

    def __init__(self, path: Path, fd: int, slots: int, *, used: int, cursor: int, writer: UUID) -> None:
        self.path = path
        self.writer = writer
        self.slots = slots
        self.used = used
        self.cursor = cursor
        self.pending = 0
        self._fd = fd
        self._room: mmap.mmap | None = None
        self._closed: deque[tuple[int, Call]] = deque()
        self._closed_since = used

    @classmethod
    def create(cls, path: Path, slots: int, writer: UUID) -> "Segment":
        """A new file with all its room allocated, locked before anybody can see it. Raises OSError (disk full)."""
        hidden = path.with_suffix(".new")
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.posix_fallocate(fd, 0, slots * SLOT)
            os.pwrite(fd, (_MAGIC.ljust(_WRITER_AT, b"\0") + writer.bytes).ljust(SLOT, b"\0"), 0)
            hidden.rename(path)
        except OSError:
            hidden.unlink(missing_ok=True)
            os.close(fd)
            raise
        segment = cls(path, fd, slots, used=1, cursor=1, writer=writer)
        segment._room = mmap.mmap(fd, slots * SLOT)
        return segment

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """The file of a process that is gone; None while somebody holds it or when it is gone by now."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        state = os.fstat(fd)
        if state.st_nlink == 0:
            os.close(fd)
            return None
        slots = state.st_size // SLOT
        writer = UUID(bytes=os.pread(fd, 16, _WRITER_AT).ljust(16, b"\0"))
        return cls(path, fd, slots, used=slots, cursor=1, writer=writer)

    @property
    def takes_another(self) -> bool:
        """Whether there is room for an open and a close beside the closes of all calls that are under way."""
        return self.used + self.pending + 2 <= self.slots

    @property
    def is_done(self) -> bool:
        """Whether every call in it has ended and is in Postgres."""
        return self.pending == 0 and self.cursor >= self.used

    def write(self, mark: Mark, call: Call, *, durable: bool) -> None:
        """One record in the next slot. Raises OSError, once room has been allocated only for a broken disk.

        Written into shared memory of the file: like `write` it survives the process, and costs a tenth of it.
        """
        slot = self.used
        self.used += 1
        if self._room is None:
            raise OSError("adopted segments are read only")
        self._room[slot * SLOT : self.used * SLOT] = pack(mark, call)
        if durable:
            os.fdatasync(self._fd)
        if mark is Mark.CLOSE:
            self._keep(slot, call)

    def closed(self, start: int, stop: int) -> tuple[Call, ...]:
        """The calls whose close stands in [start, stop); from memory when they were written lately."""
        if start >= self._closed_since:
            return tuple(call for slot, call in self._closed if start <= slot < stop)
        return tuple(call for _, mark, call in self.read(start, stop) if mark is Mark.CLOSE)

    def _keep(self, slot: int, call: Call) -> None:
        """Recorders that keep up need not read the file; for the others it is where the calls are."""
        if len(self._closed) >= _KEPT_CALLS:
            self._closed.clear()
            self._closed_since = slot + 1
        else:
            self._closed.append((slot, call))

    def read(self, start: int, stop: int) -> Iterator[tuple[int, Mark, Call]]:
        """(slot, mark, call) of the readable records in [start, stop); damaged slots are counted and passed over."""
        yield from _records(self._fd, start, min(stop, self.slots), self.path)

    def move_cursor(self, to: int) -> None:
        """Everything before slot `to` is in Postgres. Losing this only means a replay."""
        self.cursor = to
        while self._closed and self._closed[0][0] < to:
            self._closed.popleft()
        place = to.to_bytes(4)
        os.pwrite(self._fd, place + zlib.crc32(place).to_bytes(4), _CURSOR_AT)

    def remove(self) -> None:
        """The file is gone and its lock with it."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """The file stays, for whoever adopts it."""
        if self._room is not None:
            self._room.close()
            self._room = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def waiting(path: Path) -> int:
    """How many calls in a file, whoever holds it, are not yet in Postgres: open ones and closed ones."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        place, checksum = _CURSOR.unpack(os.pread(fd, _CURSOR.size, _CURSOR_AT))
        cursor = place if zlib.crc32(place.to_bytes(4)) == checksum and place else 1
        opened, ended, count = set(), set(), 0
        for slot, mark, call in _records(fd, 1, os.fstat(fd).st_size // SLOT, path):
            if mark is Mark.OPEN:
                opened.add(call.id)
            else:
                ended.add(call.id)
                count += slot >= cursor and mark is Mark.CLOSE
        return count + len(opened - ended)
    finally:
        os.close(fd)


def _records(fd: int, start: int, stop: int, path: Path) -> Iterator[tuple[int, Mark, Call]]:
    for first in range(start, stop, _READ_SLOTS):
        data = os.pread(fd, min(_READ_SLOTS, stop - first) * SLOT, first * SLOT)
        for offset in range(0, len(data), SLOT):
            slot = data[offset : offset + SLOT]
            if slot == EMPTY:
                continue
            try:
                record = unpack(slot)
            except Damaged:
                DAMAGED.inc()
                log.error("journal.slot_damaged", segment=path.name, slot=first + offset // SLOT)  # noqa: TRY400 - known
                continue
            if record is not None:
                yield first + offset // SLOT, *record
