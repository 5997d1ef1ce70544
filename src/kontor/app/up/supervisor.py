"""Keeps units running: starts them, waits until they work, restarts what dies with growing pauses, stops all in order.

One loop in one thread, no state but what the units themselves tell; so a signal can end it between any two steps.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from kontor.app.up import errors
from kontor.app.up.progress import Progress
from kontor.app.up.stopping import Stop
from kontor.app.up.units import Unit, tail
from kontor.core.errors import DomainError

POLL_S: Final = 0.1
READY_WITHIN_S: Final = 120.0
GIVES_UP_AFTER: Final = 3
STEADY_AFTER_S: Final = 60.0
LONGEST_PAUSE_S: Final = 30.0
TEND_EVERY_S: Final = 30.0


@dataclass
class _Care:
    unit: Unit
    deaths: int = 0
    was_ready: bool = False
    ready_since_s: float | None = None
    starts_again_at_s: float | None = None


@dataclass
class Supervisor:
    """`stop` is asked between all steps."""

    progress: Progress
    stop: Stop
    clock: Callable[[], float] = time.monotonic
    _cared: list[_Care] = field(default_factory=list)

    def start(self, units: Sequence[Unit]) -> None:
        """All of them are ready. Raises UpRefused when one is not in time or dies again and again, Interrupted."""
        new = [_Care(unit) for unit in units]
        for care in new:
            self._cared.append(care)
            self.progress.begin(care.unit.name, care.unit.title)
            self.progress.detail(care.unit.name, care.unit.start().value)
        deadline = self.clock() + READY_WITHIN_S
        while not all(care.was_ready for care in new):
            self._step()
            for care in new:
                late = self.clock() > deadline and not care.was_ready
                if late or (care.deaths >= GIVES_UP_AFTER and not care.was_ready):
                    raise errors.not_started(care.unit.title, care.unit.log_file, tail(care.unit.log_file))
            self.stop.pause(POLL_S)

    @property
    def names(self) -> set[str]:
        """Of all units in our care."""
        return {care.unit.name for care in self._cared}

    def watch(self) -> None:
        """Until somebody wants us to stop, what dies comes back."""
        tend_at_s = self.clock()
        while not self.stop.is_wanted():
            self._step()
            if self.clock() >= tend_at_s:
                tend_at_s = self.clock() + TEND_EVERY_S
                for care in self._cared:
                    care.unit.tend()
            self.stop.pause(POLL_S)

    def end(self, between: Callable[[], object] = lambda: None) -> None:
        """Nothing runs any more: the highest stage ends first and together, then `between`, then the other stages.

        What fails does not keep the rest from ending. Raises UpRefused when something cannot be stopped.
        """
        stages = sorted({care.unit.stage for care in self._cared})
        left: list[str] = []
        with ExitStack() as ending:  # last in, first out
            for stage in stages[:-1]:
                ending.callback(self._stop_stage, stage, left)
            ending.callback(between)
            for stage in stages[-1:]:
                ending.callback(self._stop_stage, stage, left)
        self._cared.clear()
        if left:
            raise errors.not_stopped(", ".join(left))

    def _stop_stage(self, stage: int, left: list[str]) -> None:
        units = [care.unit for care in self._cared if care.unit.stage == stage]
        with ThreadPoolExecutor(max_workers=len(units)) as pool:
            gone = list(pool.map(lambda unit: unit.stop(self.stop.is_urgent), units))
        left += [unit.title for unit, is_gone in zip(units, gone, strict=True) if not is_gone]

    def _step(self) -> None:
        for care in self._cared:
            self.stop.check()
            self._look_after(care)

    def _look_after(self, care: _Care) -> None:
        now_s = self.clock()
        if care.starts_again_at_s is not None:
            if now_s >= care.starts_again_at_s:
                self._start_again(care)
        elif not care.unit.is_alive():
            self._mourn(care)
        elif care.ready_since_s is None:
            if care.unit.is_ready():
                care.ready_since_s = now_s
                care.was_ready = True
                self.progress.done(care.unit.name)
        elif care.deaths and now_s - care.ready_since_s > STEADY_AFTER_S:
            care.deaths = 0

    def _start_again(self, care: _Care) -> None:
        care.starts_again_at_s = None
        try:
            self.progress.detail(care.unit.name, care.unit.start().value)
        except DomainError:
            self._mourn(care)

    def _mourn(self, care: _Care) -> None:
        care.deaths += 1
        care.ready_since_s = None
        pause = pause_s(care.deaths)
        care.starts_again_at_s = self.clock() + pause
        self.progress.died(care.unit.name, care.unit.title, pause, tail(care.unit.log_file))


def pause_s(deaths: int) -> float:
    """Seconds before the next start, after so many deaths in a row: 1, 2, 4, ... 30."""
    return min(LONGEST_PAUSE_S, 2.0 ** (deaths - 1))
