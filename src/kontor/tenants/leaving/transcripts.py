"""OpenClaw's own transcripts, read from its database.

The schema counts as private: this belongs to the pinned version and a test runs it against the real thing. Tables:
`session_windows` (a session's key and channel), `transcript_events` (one event as JSON; later versions pack big ones
in `event_zstd`), `session_transcript_active_events` (which events are the live branch, in order) and
`session_transcript_archives` (sessions that were reset or deleted, JSON lines, mostly packed).
"""

import io
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import orjson
import zstandard

_SESSIONS: Final = """
SELECT session_id, session_key, channel, created_at FROM session_windows ORDER BY created_at, session_id
"""
_ACTIVE: Final = """
SELECT {columns} FROM session_transcript_active_events a
JOIN transcript_events e ON e.session_id = a.session_id AND e.seq = a.event_seq
WHERE a.session_id = ? ORDER BY a.active_position
"""
_ALL: Final = "SELECT {columns} FROM transcript_events e WHERE e.session_id = ? ORDER BY e.seq"
_ARCHIVES: Final = """
SELECT session_id, session_key, reason, created_at, archive_blob FROM session_transcript_archives
ORDER BY created_at, session_id, generation
"""
_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1
_LARGEST_BYTES: Final = 256 * 1024 * 1024


class Unreadable(Exception):
    """The database is not what this version writes; the cause says how."""


def pieces(file: Path) -> Iterator[str]:
    """JSON text in pieces: an array of `{session, key, channel | archived, created_at, events: [...]}`.

    May be read in one thread after another. Raises Unreadable.
    """
    try:
        with closing(
            sqlite3.connect(file.absolute().as_uri() + "?mode=rw", uri=True, check_same_thread=False)
        ) as database:
            database.execute("PRAGMA query_only = 1")
            verdict = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != ("ok",):
                raise Unreadable(repr(verdict))
            separator = "[\n"
            for head, events in _sessions(database):
                yield separator + orjson.dumps(head).decode()[:-1] + ',"events":['
                separator = "\n"
                for event in events:
                    yield separator + event
                    separator = ",\n"
                yield "\n]}"
                separator = ",\n"
            yield "\n]\n" if separator == ",\n" else "[]\n"
    except (sqlite3.Error, zstandard.ZstdError, ValueError) as error:
        raise Unreadable(repr(error)) from error


def _sessions(database: sqlite3.Connection) -> Iterator[tuple[dict[str, object], Iterable[str]]]:
    for session, key, channel, created_at in database.execute(_SESSIONS):
        head = {"session": session, "key": key, "channel": channel, "created_at": created_at}
        yield head, _events(database, session)
    for session, key, reason, created_at, packed in database.execute(_ARCHIVES):
        head = {"session": session, "key": key, "archived": reason, "created_at": created_at}
        yield head, (_checked(line) for line in _unpacked(packed).splitlines() if line.strip())


def _events(database: sqlite3.Connection, session: object) -> Iterator[str]:
    names = {row[1] for row in database.execute("PRAGMA table_info(transcript_events)")}
    columns = "e.event_json, e.event_zstd" if "event_zstd" in names else "e.event_json, NULL"
    # A branch that is yet to be indexed has no active events: then all are told, in the order of their writing.
    indexed = database.execute("SELECT 1 FROM session_transcript_active_events WHERE session_id = ?", (session,))
    query = _ACTIVE if indexed.fetchone() else _ALL
    for plain, packed in database.execute(query.format(columns=columns), (session,)):
        yield _checked(plain if plain is not None else _unpacked(packed))


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_MAGIC):
        return data
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        return reader.read(_LARGEST_BYTES)


def _checked(event: str | bytes) -> str:
    """One JSON value on one line. Raises ValueError."""
    return orjson.dumps(orjson.loads(event)).decode()
