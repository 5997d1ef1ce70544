"""One thing that `up` keeps running: a process of Kontor, or the database. Started, found again, asked, stopped."""

import http.client
import os
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from kontor.app.up.plan import Program
from kontor.app.up.processes import Recorded
from kontor.core.embedded import EmbeddedPostgres

ASK_TIMEOUT_S: Final = 2.0
LOG_LIMIT_BYTES: Final = 10_000_000
TAIL_LINES: Final = 15


class Began(StrEnum):
    """How a unit came to run."""

    STARTED = "started"
    ADOPTED = "still running, taken over"
    REPLACED = "restarted with the new version or configuration"


class Unit(Protocol):
    """What the supervisor cares for. `stage` orders the stop: higher ones end first."""

    name: str
    title: str
    stage: int
    log_file: Path

    def start(self) -> Began:
        """It runs, or is about to; a second call adopts what runs."""

    def is_alive(self) -> bool:
        """Whether it runs now."""

    def is_ready(self) -> bool:
        """Whether it does its work now."""

    def stop(self, hurry: Callable[[], bool]) -> bool:
        """True when it is gone. `hurry` tells whether it is to be killed instead of waited for."""

    def tend(self) -> None:
        """Housekeeping now and then: its log stays below its limit."""


class ProcessUnit:
    """A program of the plan as a process that survives the launcher."""

    def __init__(self, program: Program, state_dir: Path) -> None:
        self.name = program.name
        self.title = program.title
        self.stage = program.stage
        self._program = program
        self._process = Recorded(state_dir, program.name)
        self._child: subprocess.Popen[bytes] | None = None
        self.log_file = self._process.log_file

    def start(self) -> Began:
        """It runs. What still runs from last time is taken over when it is the same version and configuration."""
        how = Began.STARTED
        if self._process.running() is not None:
            if self._process.fingerprint == self._program.fingerprint:
                return Began.ADOPTED
            self._process.stop()
            how = Began.REPLACED
        self._reap()
        self._child = self._process.launch(self._program.command, self._program.environment, self._program.fingerprint)
        return how

    def is_alive(self) -> bool:
        """Whether our child runs, or the one that a launcher before us recorded."""
        if self._child is not None:
            return self._child.poll() is None
        return self._process.running() is not None

    def is_ready(self) -> bool:
        """Whether it answers its health question; without a question, whether it runs."""
        if not self.is_alive():
            return False
        return self._program.ready_url is None or _answers(self._program.ready_url)

    def stop(self, hurry: Callable[[], bool]) -> bool:
        """Asked to end, killed when it does not; True when it is gone."""
        if not self._process.stop(hurry):
            return False
        self._reap()
        return True

    def tend(self) -> None:
        """The log is cut when it is too long; the process goes on writing at the end of what is left."""
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.with_suffix(".log.1").write_bytes(self.log_file.read_bytes())
            os.truncate(self.log_file, 0)

    def _reap(self) -> None:
        if self._child is not None:
            if self._child.poll() is None:  # it was stopped before it could write its record
                self._child.kill()
            self._child.wait()
            self._child = None


class PostgresUnit:
    """The embedded database, under the same care."""

    name = "postgres"
    title = "Postgres"
    stage = 0

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self.log_file = postgres.log_file

    def start(self) -> Began:
        """It takes connections when this returns."""
        how = Began.ADOPTED if self._postgres.is_running else Began.STARTED
        self._postgres.start()
        return how

    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self._postgres.is_running

    def is_ready(self) -> bool:
        """As is_alive: start returns when it is ready."""
        return self._postgres.is_running

    def stop(self, hurry: Callable[[], bool]) -> bool:
        """Gone; in a hurry or not, the server ends its work in order."""
        del hurry
        self._postgres.stop()
        return True

    def tend(self) -> None:
        """Nothing: the launcher of the server looks after its log."""


def tail(log_file: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, empty when there is none."""
    if not log_file.exists():
        return ""
    with log_file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def _answers(url: str) -> bool:
    """Whether a server there answers without a failure of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
