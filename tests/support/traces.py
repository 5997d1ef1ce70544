"""Looking for a marker wherever a process could have left it: files, and every row of every table."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1
"""


def files_with(folder: Path, marker: str) -> list[str]:
    """The files below a folder whose name or content holds the marker."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(one in name for one in _texts(marker)) or (path.is_file() and _is_in(path.read_bytes(), marker)):
            found.append(name)
    return found


def is_in(text: str, marker: str) -> bool:
    """Whether a text holds the marker, or its bytes in hexadecimal."""
    return any(one in text for one in _texts(marker))


async def rows_with(url: str, marker: str) -> tuple[int, list[str]]:
    """How many rows all tables have, and the names of those of which one holds the marker in any of its columns.

    A row is looked at as text; so are JSON, arrays and, in hexadecimal, bytes.
    """
    connection = await asyncpg.connect(url)
    rows, found = 0, []
    try:
        for table in [row["name"] for row in await connection.fetch(_TABLES)]:
            texts = [row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} t")]  # noqa: S608
            rows += len(texts)
            if any(is_in(text, marker) for text in texts):
                found.append(table)
    finally:
        await connection.close()
    return rows, found


def _is_in(content: bytes, marker: str) -> bool:
    return any(one.encode() in content for one in _texts(marker)) or marker.encode("utf-16-le") in content


def _texts(marker: str) -> Iterator[str]:
    yield marker
    yield marker.encode().hex()
