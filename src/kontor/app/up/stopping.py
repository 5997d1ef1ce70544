"""Ctrl-C, SIGTERM and SIGHUP as a question that the loops ask: once means stop, twice means hurry."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody wants us to stop."""


class Stop:
    """What the signals have said so far."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._times = 0

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came."""
        self._times += 1
        self._asked.set()

    def is_wanted(self) -> bool:
        """Somebody wants us to stop."""
        return self._asked.is_set()

    def is_urgent(self) -> bool:
        """And says so again."""
        return self._times > 1

    def check(self) -> None:
        """Raises Interrupted when somebody wants us to stop."""
        if self.is_wanted():
            raise Interrupted

    def pause(self, seconds: float) -> None:
        """Waits so long, or until somebody wants us to stop."""
        self._asked.wait(seconds)


@contextmanager
def listening() -> Iterator[Stop]:
    """The signals are ours until the end."""
    stop = Stop()
    before = {number: signal.signal(number, stop.hear) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
