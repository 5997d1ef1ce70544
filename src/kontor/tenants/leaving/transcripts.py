"""OpenClaw's own transcripts, read from its database.

The schema counts as private: this belongs to the pinned version (tried with 2026.9.4) and a test runs it against the
real thing. Tables: `session_windows` (a session's key and channel), `transcript_events` (JSON, big ones as zstd
frames), `session_transcript_active_events` (which events are the live branch, in order).
"""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson
import zstandard

_SESSIONS: Final = (
    "SELECT session_id, session_key, channel, created_at FROM session_windows ORDER BY created_at, session_id"
)
_EVENTS: Final = """
SELECT e.event_json, e.event_zstd
FROM session_transcript_active_events a
JOIN transcript_events e ON e.session_id = a.session_id AND e.seq = a.event_seq
WHERE a.session_id = ?
ORDER BY a.active_position
"""
_LARGEST_EVENT_BYTES: Final = 64 * 1024 * 1024


class Unreadable(Exception):
    """The database is not what this version writes; the cause says how."""


def pieces(file: Path) -> Iterator[str]:
    """JSON text: an array of `{session, key, channel, created_at, events: [...]}`, in pieces.

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
            yield from _sessions(database)
    except (sqlite3.Error, zstandard.ZstdError, ValueError) as error:
        raise Unreadable(repr(error)) from error


def _sessions(database: sqlite3.Connection) -> Iterator[str]:
    separator = "[\n"
    for session, key, channel, created_at in database.execute(_SESSIONS):
        head = {"session": session, "key": key, "channel": channel, "created_at": created_at}
        yield separator + orjson.dumps(head).decode()[:-1] + ',"events":['
        separator = "\n"
        for event in _events(database, session):
            yield separator + orjson.dumps(event).decode()
            separator = ",\n"
        yield "\n]}"
        separator = ",\n"
    yield "\n]\n" if separator == ",\n" else "[]\n"


def _events(database: sqlite3.Connection, session: object) -> Iterator[Any]:
    for plain, packed in database.execute(_EVENTS, (session,)):
        if plain is not None:
            yield orjson.loads(plain)
        elif packed is not None:
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as reader:
                yield orjson.loads(reader.read(_LARGEST_EVENT_BYTES))
