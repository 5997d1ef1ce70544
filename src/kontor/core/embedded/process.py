"""Naming a process so that it is found again, and only it: a pid alone is given away again after a while.

Everything that outlives its starter (Postgres, the children of `kontor up`, assistants) is remembered by pid and start
time.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil

POLL_S = 0.02
HURRY_S = 0.5
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


def stop(
    identity: Identity,
    *,
    signals: Iterable[tuple[signal.Signals, float]],
    hurry: Callable[[], bool] = lambda: False,
) -> bool:
    """Sends each signal in turn and waits its seconds; True as soon as the process is gone.

    When `hurry` becomes true, no signal is waited for longer than a moment.
    """
    for number, patience_s in signals:
        if not is_alive(identity):
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(identity.pid).send_signal(number)
        deadline = time.monotonic() + patience_s
        while is_alive(identity) and time.monotonic() < (deadline if not hurry() else deadline - patience_s + HURRY_S):
            time.sleep(POLL_S)
    return not is_alive(identity)


def kill_session(leader: int) -> None:
    """What a stopped leader of a session left behind in it is killed; what made a session of its own is not ours."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if process.pid != leader and os.getsid(process.pid) == leader:
                process.kill()
