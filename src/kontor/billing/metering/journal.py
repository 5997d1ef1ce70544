"""The journal: what the gateway writes down before and after each call, before Postgres hears of it.

Two records a call, each one write into room that was allocated before: `open` before the first byte goes upstream,
`close` before the caller's response ends. A process that dies loses no answered call; an open without a close becomes
one estimated event. `write` survives the process, only `durable` (fsync) survives the machine.

Owns the folder of segments: one process writes a segment and holds its lock, any process adopts one whose lock is
free. What becomes of the records: recorder. Source: gateway page, "Journal".
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from kontor.billing.metering.record import SLOT, Call, Mark
from kontor.billing.metering.segment import SUFFIX, Segment, waiting
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import new_id

log = structlog.get_logger(__name__)

SEGMENT_BYTES: Final = 4 * 1024 * 1024

FULL = Gauge(
    "kontor_gateway_journal_full",
    "1 while calls are refused because the journal cannot be written: alarm",
    multiprocess_mode="livemax",
)
UNWRITTEN = Counter("kontor_gateway_journal_unwritten_total", "Closes kept in memory because their write failed: alarm")
ADOPTED = Counter("kontor_gateway_journal_adopted_total", "Segments taken over from processes that are gone")


class JournalFull(Unavailable):
    """The call cannot be written down, so it must not be made."""

    def __init__(self) -> None:
        super().__init__(
            "gateway.journal_full",
            Text(
                de="Der Dienst kann gerade keine Anfragen annehmen. Bitte versuchen Sie es später noch einmal.",
                en="The service cannot take requests just now. Please try again later.",
            ),
            retry_after_s=30,
        )


@dataclass(slots=True)
class Ticket:
    """A call that was opened and must be closed exactly once."""

    call: Call
    segment: Segment


@dataclass(frozen=True, slots=True)
class Batch:
    """Closed calls in the order of their slots, and the slot up to which the segment was read.

    Without a segment they are the ones whose write failed.
    """

    segment: Segment | None
    calls: tuple[Call, ...]
    upto: int
    writer: UUID


class Journal:
    """The segments of this process in one folder. Not for several threads.

    `writer` is this process's id, which its segments carry; `is_full` says whether the last call was refused for want
    of room.
    """

    def __init__(
        self, folder: Path, *, writer: UUID | None = None, segment_bytes: int = SEGMENT_BYTES, durable: bool = False
    ) -> None:
        self.writer = writer or new_id()
        self._folder = folder
        self._slots = segment_bytes // SLOT
        self._durable = durable
        self._active: Segment | None = None
        self._segments: list[Segment] = []
        self._orphans: list[Segment] = []
        self._unwritten: list[Call] = []
        self.is_full = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, call: Call) -> Ticket:
        """The call may be made. Raises JournalFull: then it must not."""
        try:
            segment = self._room()
            segment.write(Mark.OPEN, call, durable=self._durable)
        except OSError as error:
            if not self.is_full:
                log.error("journal.full", folder=str(self._folder), error=repr(error))  # noqa: TRY400 - expected
            self._active, self.is_full = None, True
            FULL.set(1)
            raise JournalFull from error
        segment.pending += 1
        return Ticket(call, segment)

    def has_room(self) -> bool:
        """Whether the next call would be taken; after a refusal this tries anew."""
        if self.is_full:
            with suppress(OSError):
                self._room()
        return not self.is_full

    def close(self, ticket: Ticket, ended: Call) -> None:
        """The call's numbers are written down. Never raises: its room was allocated when it was opened."""
        self._end(ticket, Mark.CLOSE, ended)

    def void(self, ticket: Ticket) -> None:
        """The call never reached the provider: no event comes of it."""
        self._end(ticket, Mark.VOID, ticket.call)

    def batches(self, limit: int) -> Iterator[Batch]:
        """Closed calls that are not in Postgres yet, at most `limit` a batch. Call `committed` before the next."""
        if self._unwritten:
            yield Batch(None, tuple(self._unwritten), 0, self.writer)
        for segment in list(self._segments):
            while segment.cursor < segment.used:
                upto = min(segment.used, segment.cursor + 2 * limit)
                yield Batch(segment, segment.closed(segment.cursor, upto), upto, self.writer)
            self._tidy(segment)
        for segment in list(self._orphans):
            yield from _of_orphan(segment, limit)

    def committed(self, batch: Batch) -> None:
        """Postgres has the batch. A segment of which it has everything is removed."""
        if batch.segment is None:
            self._unwritten = self._unwritten[len(batch.calls) :]
            return
        batch.segment.move_cursor(max(batch.upto, batch.segment.cursor))
        self._tidy(batch.segment)

    def adopt(self) -> int:
        """Takes over the segments of processes that are gone; how many."""
        mine = {segment.path for segment in (*self._segments, *self._orphans)}
        found = 0
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path not in mine and (segment := Segment.adopt(path)) is not None:
                log.warning("journal.adopted", segment=path.name)
                self._orphans.append(segment)
                found += 1
        ADOPTED.inc(found)
        return found

    def end(self) -> None:
        """Files of which Postgres has everything go, the others stay for adoption; all locks are free."""
        for segment in (*self._segments, *self._orphans):
            if segment.is_done and not self._unwritten:
                segment.remove()
            else:
                segment.release()
        self._segments, self._orphans, self._active = [], [], None

    def _room(self) -> Segment:
        if self._active is None or not self._active.takes_another:
            self._active = None
            self._active = Segment.create(self._folder / f"{new_id()}{SUFFIX}", self._slots, self.writer)
            self._segments.append(self._active)
            self.is_full = False
            FULL.set(0)
        return self._active

    def _tidy(self, segment: Segment) -> None:
        """A segment that takes no more calls and of which Postgres has everything is removed."""
        for segments in (self._segments, self._orphans):
            if segment in segments and segment is not self._active and segment.is_done:
                segments.remove(segment)
                segment.remove()

    def _end(self, ticket: Ticket, mark: Mark, ended: Call) -> None:
        try:
            ticket.segment.write(mark, ended, durable=self._durable)
        except OSError:
            UNWRITTEN.inc()
            log.exception("journal.close_unwritten", event_id=str(ended.id))
            if mark is Mark.CLOSE:
                self._unwritten.append(ended)
        ticket.segment.pending -= 1


def _of_orphan(segment: Segment, limit: int) -> Iterator[Batch]:
    """Everything in an adopted segment: closed calls as they are, open ones as lost, with what was estimated."""
    opened: dict[object, Call] = {}
    closed: list[Call] = []
    upto = segment.cursor
    for slot, mark, call in segment.read(1, segment.slots):
        if mark is Mark.OPEN:
            opened[call.id] = call
            continue
        opened.pop(call.id, None)
        if mark is Mark.CLOSE:
            closed.append(call)
        if len(closed) >= limit:
            upto = slot + 1
            yield Batch(segment, tuple(closed), upto, segment.writer)
            closed = []
    yield Batch(segment, (*closed, *opened.values()), segment.used, segment.writer)


def backlog(folder: Path) -> int:
    """How many calls in the journal of all processes are not in Postgres yet. Zero: the journal is empty."""
    return sum(waiting(path) for path in folder.glob(f"*{SUFFIX}")) if os.access(folder, os.R_OK) else 0
