"""The container for one command, and how commands print.

People get tables with times of Europe/Berlin, machines one JSON document with UTC.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from kontor.app.container import Container
from kontor.app.reactions import reactions
from kontor.core.audit import Actor
from kontor.core.clock import BERLIN
from kontor.core.events import subscribers
from kontor.core.settings import Settings

T = TypeVar("T")
COMMAND_LINE: Final = Actor("system", "command line")


def run(settings: Settings, work: Callable[[Container], Awaitable[T]]) -> T:
    """What the work returns; its container knows who reacts to events, and is closed afterwards."""

    async def with_container() -> T:
        container = Container(settings)
        container.database.subscribe(subscribers(reactions(container)))
        try:
            return await work(container)
        finally:
            await container.close()

    return asyncio.run(with_container())


def print_json(value: object) -> None:
    """One document; instants and ids as text."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def print_table(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str], *, empty: str) -> None:
    """The columns (name in the row -> heading) of all rows, or the sentence that there are none."""
    console = Console()
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    console.print(table, highlight=False)


def print_facts(facts: Mapping[str, object]) -> None:
    """One name and value a line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, _cell(value))
    Console().print(table, highlight=False)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Draws how many of how many are done, on standard error, from the first call on; nothing where nobody looks."""
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, visible=False)
        yield lambda done, total: shown.update(task, completed=done, total=total, visible=True)


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value.astimezone(BERLIN):%Y-%m-%d %H:%M}"
    return str(value).replace("[", r"\[")
