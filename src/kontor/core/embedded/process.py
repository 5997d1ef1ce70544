"""Naming a process so that it is found again, and only it: a pid alone is given away again after a while.

Everything that outlives its starter (Postgres, the children of `kontor up`, assistants) is remembered by pid and start
time.
"""

import contextlib
import signal
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

SAME_START_S = 2.0  # the kernel's boot time moves a little when the clock is set


@dataclass(frozen=True)
class Identity:
    """A process of this machine. `started_at_s` is in seconds since the epoch."""

    pid: int
    started_at_s: float


def identify(pid: int) -> Identity | None:
    """The identity of what runs under this pid now; None when nothing does (a zombie is nothing)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs."""
    now = identify(identity.pid)
    return now is not None and abs(now.started_at_s - identity.started_at_s) <= SAME_START_S


def stop(identity: Identity, *, signals: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Sends each signal in turn and waits its seconds; True as soon as the process is gone."""
    if not is_alive(identity):
        return True
    try:
        process = psutil.Process(identity.pid)
    except psutil.NoSuchProcess:
        return True
    for number, patience_s in signals:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(timeout=patience_s)
        if not is_alive(identity):
            return True
    return False
