"""What one machine remembers of an instance: a folder, and a file in it that no instance can write.

<instances>/<id>/            of the control plane, others may only walk through
    record.json   0600       pid and start time, port, user, revision, what ended it
    lock                     held while somebody changes the instance
    home/         0700       the instance's own: configuration, state, workspace (see volume)
"""

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson

from kontor.core.embedded.process import Identity
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.local.volume import Volume

FIRST_UID: Final = 200_000
LAST_UID: Final = 299_999


@dataclass(frozen=True, slots=True)
class Record:
    """`wanted`: whether it should run. `code` says why the last process ended by itself.

    `is_spawning` is written before a process is started and withdrawn with its pid: who finds it set was preceded by
    somebody who was killed in between, and looks for the process.
    """

    uid: int | None
    port: int | None = None
    pid: int | None = None
    started_at_s: float | None = None
    wanted: bool = False
    is_spawning: bool = False
    revision: int = 0
    release: str = ""
    memory_mb: int = 0
    code: str | None = None
    detail: str | None = None

    @property
    def process(self) -> Identity | None:
        """The process that was started last."""
        if self.pid is None or self.started_at_s is None:
            return None
        return Identity(self.pid, self.started_at_s)

    def ended(self, code: str | None, detail: str | None = None) -> "Record":
        """No process any more, for this reason."""
        return replace(self, pid=None, started_at_s=None, is_spawning=False, code=code, detail=detail)


class Place:
    """The folder of one instance."""

    def __init__(self, instances: Path, instance: InstanceId) -> None:
        self.root = instances / str(instance)
        self.home = self.root / "home"
        self.config = self.home / "openclaw.json"
        self.state = self.home / "state"
        self.workspace = self.home / "workspace"
        self.tmp = self.home / "tmp"
        self.log = self.home / "openclaw.log"
        self._record = self.root / "record.json"
        self._lock = self.root / "lock"

    def read(self) -> Record | None:
        """What is remembered; None when there is no such instance."""
        try:
            return Record(**orjson.loads(self._record.read_bytes()))
        except FileNotFoundError:
            return None

    def write(self, record: Record) -> None:
        """Remembered at once and whole."""
        draft = self._record.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(orjson.dumps(asdict(record)))
        draft.rename(self._record)

    @contextmanager
    def locked(self, *, waits: bool = True) -> Iterator[None]:
        """Nobody else changes this instance meanwhile. Raises FileNotFoundError when there is none.

        Without `waits` BlockingIOError when somebody does.
        """
        while True:
            # Closed to the instance's own user, who could otherwise hold it for ever.
            with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
                # A deletion takes the file with it, and whoever waited for it would hold a lock that nobody sees.
                if os.fstat(lock.fileno()).st_ino == self._lock.stat().st_ino:
                    yield
                    return

    def volume(self, uid: int | None) -> Volume:
        """What the instance owns."""
        return Volume(self.home, uid)

    def create(self) -> None:
        """The folder is there."""
        self.root.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.root.mkdir(exist_ok=True, mode=0o711)


def instances_in(folder: Path) -> list[InstanceId]:
    """All instances of a folder."""
    found = []
    for path in folder.iterdir() if folder.exists() else ():
        try:
            found.append(InstanceId(UUID(path.name)))
        except ValueError:
            continue
    return found


def new_uid(folder: Path) -> int | None:
    """A user of its own for a new instance of this folder; None when we cannot give it one.

    Numbers go round: one that was just given back is not given out again soon, because its last owner may have left
    files elsewhere. Two folders of one machine begin at different numbers.
    """
    if os.geteuid() != 0:
        return None
    with (folder / ".last-uid").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        last = int(file.read() or _before_first(folder))
        taken = {record.uid for one in instances_in(folder) if (record := Place(folder, one).read()) is not None}
        every = LAST_UID - FIRST_UID + 1
        turns = (FIRST_UID + (last - FIRST_UID + step) % every for step in range(1, every + 1))
        uid = next(turn for turn in turns if turn not in taken)
        file.truncate(0)
        file.write(str(uid))
    return uid


def _before_first(folder: Path) -> int:
    mark = hashlib.sha256(str(folder).encode()).digest()
    return FIRST_UID + int.from_bytes(mark[:4]) % (LAST_UID - FIRST_UID + 1)


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Some port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
