"""Transcripts from a database as the pinned version writes it, and as later ones do."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest
import zstandard

from kontor.core.errors import Unavailable
from kontor.core.ids import InstanceId, new_id
from kontor.tenants.leaving import transcripts
from kontor.tenants.leaving.transcripts import Unreadable
from kontor.tenants.leaving.volume import DATABASE, Volume
from kontor.tenants.provisioning.fake import FakeRuntime

SCHEMA = """
CREATE TABLE session_windows (session_id TEXT, session_key TEXT, channel TEXT, created_at INTEGER);
CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, event_json TEXT{more});
CREATE TABLE session_transcript_active_events (session_id TEXT, active_position INTEGER, event_seq INTEGER);
CREATE TABLE session_transcript_archives (session_id TEXT, generation TEXT, session_key TEXT, reason TEXT,
  archive_blob BLOB, created_at INTEGER);
INSERT INTO session_windows VALUES ('s2', 'agent:main:openai-user:b', 'api', 2);
INSERT INTO session_windows VALUES ('s1', 'agent:main:openai-user:a', NULL, 1);
"""
GREETING = {"type": "message", "message": {"role": "user", "content": "Grüß Gott 🦊"}}


def database(folder: Path, statements: Sequence[tuple[str, Sequence[object]]], more: str = "") -> Path:
    file = folder / "openclaw.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.executescript(SCHEMA.format(more=more))
        for statement, values in statements:
            made.execute(statement, values)
        made.commit()
    return file


def read(file: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = orjson.loads("".join(transcripts.pieces(file)))
    return found


def test_only_the_live_branch_is_told_in_its_order(tmp_path: Path) -> None:
    events = [({"n": number}, number) for number in range(4)]
    file = database(
        tmp_path,
        [
            *(("INSERT INTO transcript_events VALUES ('s1', ?, ?)", (seq, orjson.dumps(one))) for one, seq in events),
            ("INSERT INTO session_transcript_active_events VALUES ('s1', 0, 3)", ()),
            ("INSERT INTO session_transcript_active_events VALUES ('s1', 1, 1)", ()),
        ],
    )

    first, second = read(file)

    assert first == {
        "session": "s1",
        "key": "agent:main:openai-user:a",
        "channel": None,
        "created_at": 1,
        "events": [{"n": 3}, {"n": 1}],
    }
    assert (second["session"], second["events"]) == ("s2", [])


def test_a_session_whose_branch_is_not_indexed_yet_is_told_whole(tmp_path: Path) -> None:
    file = database(tmp_path, [("INSERT INTO transcript_events VALUES ('s1', 0, ?)", (orjson.dumps(GREETING),))])

    assert read(file)[0]["events"] == [GREETING]


@pytest.mark.parametrize("with_size", [True, False])
def test_packed_events_of_later_versions_are_unpacked(tmp_path: Path, *, with_size: bool) -> None:
    packed = zstandard.ZstdCompressor(write_content_size=with_size).compress(orjson.dumps(GREETING))
    file = database(
        tmp_path, [("INSERT INTO transcript_events VALUES ('s1', 0, NULL, ?)", (packed,))], ", event_zstd BLOB"
    )

    assert read(file)[0]["events"] == [GREETING]


def test_sessions_that_were_reset_are_told_from_their_archive(tmp_path: Path) -> None:
    lines = orjson.dumps(GREETING) + b"\n" + orjson.dumps({"n": 2}) + b"\n"
    packed = zstandard.ZstdCompressor().compress(lines)
    statement = "INSERT INTO session_transcript_archives VALUES ('s0', 'g', 'agent:main:x', 'reset', ?, 3)"
    file = database(tmp_path, [(statement, (packed,)), (statement.replace("'s0'", "'s9'"), (lines,))])

    archived = read(file)[2:]

    assert [(one["session"], one["archived"], one["events"]) for one in archived] == [
        ("s0", "reset", [GREETING, {"n": 2}]),
        ("s9", "reset", [GREETING, {"n": 2}]),
    ]


def test_a_database_without_sessions_is_an_empty_list(tmp_path: Path) -> None:
    file = database(tmp_path, [("DELETE FROM session_windows", ())])

    assert read(file) == []


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be read as one" * 100])
def test_what_is_not_openclaws_database_is_said_to_be_unreadable(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.sqlite"
    file.write_bytes(content)

    with pytest.raises(Unreadable):
        read(file)


class Written(FakeRuntime):
    """A volume whose database is written to and checkpointed between any two reads."""

    def __init__(self, folder: Path, *, checkpoints: int) -> None:
        super().__init__()
        self._file = database(folder, [])
        self._live = sqlite3.connect(self._file, isolation_level=None)
        self._live.execute("PRAGMA journal_mode = wal")
        self._checkpoints = checkpoints
        self.written = 0
        self.reads = 0

    async def list_files(self, instance: InstanceId) -> list[str]:
        del instance
        return [f"state/{DATABASE}"]

    async def read_file(self, instance: InstanceId, path: str) -> AsyncIterator[bytes]:
        del instance
        self.reads += 1
        if self._checkpoints > 0 and self.reads > 1:
            self._checkpoints -= 1
            self._live.execute("PRAGMA wal_checkpoint(RESTART)")
        for _ in range(50):
            self._live.execute("INSERT INTO transcript_events VALUES ('s1', ?, ?)", (self.written, "{}" + " " * 3000))
            self.written += 1
        yield Path(f"{self._file}-wal" if path.endswith("-wal") else self._file).read_bytes()

    def close_database(self) -> None:
        self._live.close()


async def test_a_copy_beside_a_writer_is_consistent(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    runtime = Written(tmp_path / "live", checkpoints=2)

    copy = await Volume(runtime, InstanceId(new_id())).copy_database(tmp_path)

    assert copy is not None
    events = read(copy)[0]["events"]
    assert isinstance(events, list)
    assert len(events) > 0
    assert runtime.reads > 3
    runtime.close_database()


async def test_a_database_that_never_stands_still_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    runtime = Written(tmp_path / "live", checkpoints=10_000)

    with pytest.raises(Unavailable):
        await Volume(runtime, InstanceId(new_id())).copy_database(tmp_path)

    runtime.close_database()


async def test_an_assistant_that_has_said_nothing_has_no_transcripts(tmp_path: Path) -> None:
    assert await Volume(FakeRuntime(), InstanceId(new_id())).copy_database(tmp_path) is None
