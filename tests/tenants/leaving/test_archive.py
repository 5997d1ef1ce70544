"""Names in a ZIP that stay in its folder, whatever they were; and a ZIP that any program opens."""

import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.tenants.leaving.archive import CHUNK_BYTES, Archive, safe_path

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("prompts/AGENTS.md", "prompts/AGENTS.md"),
        ("prompts/Grüße 🦊.md", "prompts/Grüße 🦊.md"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/./b//c", "a/b/c"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\x", "C_/x"),
        ("nul", "_nul"),
        ("COM1.txt", "_COM1.txt"),
        ("a\x00b\n\u202egpj.exe", "a_b__gpj.exe"),
        ("trailing. . ", "trailing"),
        ("", "unnamed"),
        ("../..", "unnamed"),
    ],
)
def test_a_name_becomes_one_that_every_system_takes(path: str, safe: str) -> None:
    assert safe_path(path) == safe


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from(["..", ".", "/", "\\", "con", "a", " ", ":", "\u0308"])).map("".join)
)
def test_no_name_leads_out_of_the_folder(path: str) -> None:
    safe = safe_path(path)

    for pure in (PurePosixPath(safe), PureWindowsPath(safe)):
        assert not pure.is_absolute()
        assert not pure.drive
        assert ".." not in pure.parts
    assert all(part and part == part.strip(" ") and not part.endswith(".") for part in safe.split("/"))
    assert safe_path(safe) == safe


async def test_the_stream_is_a_zip_that_opens(tmp_path: Path) -> None:
    archive = Archive(NOW)
    chunks = []
    for name, pieces in (("a.txt", ["x" * 1000] * 3), ("ä/ö.txt", ["Grüß Gott 🦊"]), ("A.TXT", []), ("a.txt", ["2"])):
        chunks += [chunk async for chunk in archive.add(name, each(pieces), is_large=name == "ä/ö.txt")]
    file = tmp_path / "export.zip"
    file.write_bytes(b"".join([*chunks, archive.finish()]))

    opened = zipfile.ZipFile(file)

    assert opened.testzip() is None
    assert opened.namelist() == ["a.txt", "ä/ö.txt", "A-2.TXT", "a-3.txt"]
    assert opened.read("ä/ö.txt").decode() == "Grüß Gott 🦊"
    assert opened.infolist()[0].date_time == (2026, 11, 23, 9, 0, 0)


async def test_chunks_come_out_while_a_file_goes_in() -> None:
    archive, random = Archive(NOW), Random(7)  # noqa: S311 - something that does not get smaller
    incompressible = [random.randbytes(10_000).hex() for _ in range(200)]

    waiting = [len(chunk) async for chunk in archive.add("big.txt", each(incompressible))]

    assert len(waiting) > 1
    assert max(waiting) < 2 * CHUNK_BYTES


async def each(pieces: list[str]) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece
