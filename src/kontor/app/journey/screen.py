"""How people watch a journey: a live list on a terminal, a line per finished step elsewhere, nothing for machines."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kontor.app.journey.play import Step
from kontor.app.journey.report import StepReport


class Unwatched:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def begin(self, step: Step) -> None:
        """Nothing."""

    def detail(self, text: str) -> None:
        """Nothing."""

    def ended(self, step: Step, report: StepReport) -> None:
        """Nothing."""


class Lines(Unwatched):
    """One line per finished step."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def ended(self, step: Step, report: StepReport) -> None:
        """A line."""
        mark = "✓" if report.ok else "✗"
        line = f"{mark} {step.title} ({report.seconds:.1f} s) {report.error or report.saw}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Row:
    title: str
    began_s: float
    saw: str = ""
    report: StepReport | None = None
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))


class LiveList(Unwatched):
    """A list that grows and changes in place."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: list[_Row] = []
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The list stands still as it is now."""
        self._live.stop()

    def begin(self, step: Step) -> None:
        """A row with a spinner."""
        self._rows.append(_Row(step.title, self._clock()))

    def detail(self, text: str) -> None:
        """In the row that runs."""
        self._rows[-1].saw = text

    def ended(self, step: Step, report: StepReport) -> None:
        """The row has its tick or cross."""
        del step
        self._rows[-1].report = report
        self._rows[-1].saw = report.error or report.saw

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        for row in self._rows:
            table.add_row(self._mark(row), row.title, self._seconds(row), Text(row.saw, style=_style(row.report)))
        return Group(table)

    def _mark(self, row: _Row) -> RenderableType:
        if row.report is None:
            return row.spinner
        return Text("✓", style="green") if row.report.ok else Text("✗", style="red")

    def _seconds(self, row: _Row) -> Text:
        seconds = row.report.seconds if row.report else self._clock() - row.began_s
        return Text(f"{seconds:.1f} s", style="dim")


def _style(report: StepReport | None) -> str:
    return "dim" if report is None or report.ok else "red"
