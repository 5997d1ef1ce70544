"""Commands that must succeed before the processes start, several at a time, with their last line as progress."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kontor.app.up import errors
from kontor.app.up.plan import Task
from kontor.app.up.processes import Recorded
from kontor.app.up.progress import Progress
from kontor.app.up.stopping import Stop
from kontor.app.up.units import tail

POLL_S: Final = 0.05
DETAIL_CHARS: Final = 70


def finish(tasks: Iterable["RunningTask"], stop: Stop) -> None:
    """All of them succeeded. Raises UpRefused when one failed, Interrupted when we are to stop; then none runs."""
    left = list(tasks)
    try:
        while left := [task for task in left if not task.is_finished()]:
            stop.check()
            stop.pause(POLL_S)
    finally:
        for task in left:
            task.end()


class RunningTask:
    """A task that was begun. One that a killed launcher left in the middle is ended first."""

    def __init__(self, task: Task, state_dir: Path, progress: Progress) -> None:
        self._task = task
        self._progress = progress
        self._recorded = Recorded(state_dir, task.name)
        self._recorded.stop()
        self._recorded.log_file.unlink(missing_ok=True)
        progress.begin(task.name, task.title)
        self._process = self._recorded.launch(task.command, task.environment)

    def is_finished(self) -> bool:
        """Whether it succeeded by now; shows its last line. Raises UpRefused when it failed."""
        log_file = self._recorded.log_file
        if self._process.poll() is None:
            self._progress.detail(self._task.name, tail(log_file, lines=1)[:DETAIL_CHARS])
            return False
        if self._process.returncode != 0:
            raise errors.not_started(self._task.title, log_file, tail(log_file))
        self._progress.detail(self._task.name, "")
        self._progress.done(self._task.name)
        return True

    def end(self) -> None:
        """It does not run any more, nor what it started."""
        self._recorded.stop()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
