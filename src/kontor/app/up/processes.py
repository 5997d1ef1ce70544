"""Processes that the next launcher finds again: `<state>/processes/<name>.json` and `<state>/logs/<name>.log`.

A process writes its own record (pid and fingerprint) before it becomes its program: whenever the launcher is killed,
there is none without a record.
"""

import json
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Final

from kontor.core.embedded.process import Identity, identify, kill_session, stop

TERMINATE: Final = ((SIGTERM, 30.0), (SIGKILL, 5.0))
# The shell becomes the program: its pid is the program's. The record appears whole or not at all.
_RECORD_THEN_BECOME: Final = (
    'printf \'{"pid": %d, "fingerprint": "%s"}\' $$ "$2" >"$1.new" && mv "$1.new" "$1" && shift 2 && exec "$@"'
)


class Recorded:
    """The process of one name below one state folder, whoever started it."""

    def __init__(self, state_dir: Path, name: str) -> None:
        self.log_file = state_dir / "logs" / f"{name}.log"
        self._file = state_dir / "processes" / f"{name}.json"

    def launch(
        self, command: tuple[str, ...], environment: Mapping[str, str], fingerprint: str = ""
    ) -> subprocess.Popen[bytes]:
        """Runs the command in a session of its own, writing at the end of its log."""
        for folder in (self.log_file.parent, self._file.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the plan's own commands
                ["/bin/sh", "-c", _RECORD_THEN_BECOME, "sh", str(self._file), fingerprint, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def fingerprint(self) -> str:
        """What it was launched with; empty without a record."""
        return str(self._content().get("fingerprint", ""))

    def running(self) -> Identity | None:
        """The recorded process. One that started after the record was written only inherited its pid."""
        pid = self._content().get("pid")
        identity = identify(pid) if isinstance(pid, int) else None
        if identity is None or identity.started_at_s > self._file.stat().st_mtime + 1.0:
            return None
        return identity

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> bool:
        """Asked to end, killed when it does not, with what it started in its session; True when it is gone."""
        identity = self.running()
        if identity is not None:
            if not stop(identity, signals=TERMINATE, hurry=hurry):
                return False
            kill_session(identity.pid)
        self._file.unlink(missing_ok=True)
        return True

    def _content(self) -> dict[str, object]:
        try:
            found = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def stop_others(state_dir: Path, keep: Collection[str]) -> None:
    """No recorded process runs but those named: a killed launcher may have left some that are not wanted now."""
    for file in (state_dir / "processes").glob("*.json"):
        if file.stem not in keep:
            Recorded(state_dir, file.stem).stop()
