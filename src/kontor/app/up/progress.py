"""What a person sees while things start: a live list on a terminal, one line per event elsewhere."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


class Progress(Protocol):
    """Steps by name. A step that is done may die and begin again."""

    def begin(self, name: str, title: str) -> None:
        """It is being worked on."""

    def detail(self, name: str, text: str) -> None:
        """What it does just now."""

    def done(self, name: str) -> None:
        """It works."""

    def died(self, name: str, title: str, again_in_s: float, tail: str) -> None:
        """It ended by itself; its last words are shown."""

    def say(self, text: str) -> None:
        """A sentence that stands by itself."""


@dataclass
class _Step:
    title: str
    began_s: float
    detail: str = ""
    took_s: float | None = None
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))


class PlainProgress:
    """One line per event, for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._steps: dict[str, _Step] = {}

    def begin(self, name: str, title: str) -> None:
        """A line."""
        self._steps[name] = _Step(title, self._clock())
        self.say(f"… {title}")

    def detail(self, name: str, text: str) -> None:
        """Kept for the line that ends the step."""
        self._steps[name].detail = text

    def done(self, name: str) -> None:
        """A line with the seconds that it took."""
        step = self._steps[name]
        step.took_s = self._clock() - step.began_s
        self.say(f"✓ {step.title} ({step.took_s:.1f} s){_after(step.detail)}")

    def died(self, name: str, title: str, again_in_s: float, tail: str) -> None:
        """A line and the last words."""
        if name in self._steps:
            self._steps[name].began_s = self._clock()
        self.say(
            f"✗ {title} ended; starting it again in {again_in_s:g} s. The last lines of its log:\n{_indented(tail)}"
        )

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveProgress(PlainProgress):
    """A list that changes in place until everything works; afterwards plain lines."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._live: Live | None = Live(get_renderable=self._render, console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()

    def settle(self) -> None:
        """The list stands still as it is now."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, name: str, title: str) -> None:
        """A row with a spinner."""
        if self._live is None:
            super().begin(name, title)
        else:
            self._steps[name] = _Step(title, self._clock())

    def done(self, name: str) -> None:
        """The row gets its tick and stops counting."""
        if self._live is None:
            super().done(name)
        else:
            step = self._steps[name]
            step.took_s = self._clock() - step.began_s

    def _render(self) -> RenderableType:
        rows = Table.grid(padding=(0, 1))
        for step in self._steps.values():
            mark: RenderableType = step.spinner if step.took_s is None else Text("✓", style="green")
            seconds = self._clock() - step.began_s if step.took_s is None else step.took_s
            rows.add_row(mark, step.title, Text(f"{seconds:5.1f} s", style="dim"), Text(step.detail, style="dim"))
        return Group(rows)


def _after(detail: str) -> str:
    return f" {detail}" if detail else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
