"""One launcher per state folder. The lock ends with its holder, however that ends."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kontor.app.up import errors


class Lock:
    """The held lock; `announce` tells a second launcher where the first one's portal is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def announce(self, where: str) -> None:
        """Replaces what is told."""
        told = json.dumps({"pid": os.getpid(), "where": where}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, told, 0)


@contextmanager
def only_launcher(state_dir: Path) -> Iterator[Lock]:
    """Nobody else launches on this folder meanwhile. Raises UpRefused when somebody does."""
    file = state_dir / "up.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal(state_dir, file.read_text()) from error
        lock = Lock(descriptor)
        lock.announce("starting")
        yield lock
    finally:
        os.close(descriptor)


def _refusal(state_dir: Path, told: str) -> errors.UpRefused:
    try:
        known = json.loads(told)
    except ValueError:
        known = {"pid": 0, "where": "starting"}
    return errors.already_running(state_dir, known["pid"], known["where"])
