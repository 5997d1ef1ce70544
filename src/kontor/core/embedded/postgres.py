"""One Postgres server per state folder: started, adopted when it still runs, healed after a kill.

Listens on 127.0.0.1 by TCP with SCRAM and a password of its own. As root the server runs as `nobody`. The server
outlives the process that started it; whoever wants it gone says `stop`. Roles and tables are core.db's.

Files below `<state>/postgres`: `data`, `password` (0600), `port` (kept, so that URLs survive), `server.log`, `lock`.
"""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self, TypedDict

import psutil
import structlog

from kontor.core.embedded import binaries, errors
from kontor.core.embedded.process import Identity, identify, is_alive, stop
from kontor.core.settings import default_cache_dir

HOST: Final = "127.0.0.1"
ROOT_RUNS_AS: Final = "nobody"
READY_WITHIN_S: Final = 60.0  # recovery after a crash of a busy server takes a while
LEFTOVERS_WITHIN_S: Final = 15.0
POLL_S: Final = 0.01
LOG_LIMIT_BYTES: Final = 10_000_000
PORT_TRIES: Final = 5
BUILTIN_LOCALE_SINCE: Final = 17
STOP: Final = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))  # fast, immediate, at last
NOT_DURABLE: Final = ("fsync=off", "full_page_writes=off")  # commits are still written, so kill -9 loses none
OPTIONS: Final = (
    f"listen_addresses={HOST}",
    "unix_socket_directories=",
    "max_connections=200",
    "jit=off",
    "log_checkpoints=off",
    "log_timezone=UTC",
    "timezone=UTC",
)


class _AsUser(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class EmbeddedPostgres:
    """The server of one state folder.

    `pg_bin` is the folder of the programs (default: see binaries.find). `durable=False` is for tests: a crash of the
    machine may lose data, a crash of the server does not.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        pg_bin: Path | None = None,
        cache_dir: Path | None = None,
        durable: bool = True,
        log: structlog.typing.FilteringBoundLogger | None = None,
    ) -> None:
        self._home = state_dir.absolute() / "postgres"
        self._data = self._home / "data"
        self._pg_bin = pg_bin
        self._cache_dir = cache_dir or default_cache_dir()
        self._durable = durable
        self._log: structlog.typing.FilteringBoundLogger = log or structlog.get_logger()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> str:
        """The server runs and takes connections; returns the URL of its superuser.

        A second call, also from another process, adopts what runs. Raises PostgresNotStarted.
        """
        account = _account()
        self._prepare_home(account)
        with self._lock():
            if self._running() is not None and self._is_listening():
                self._log.info("postgres.adopted", data=str(self._data))
            else:
                self._await_end()
                programs = binaries.find(self._pg_bin)
                if account is not None:
                    programs = binaries.runnable_by_others(programs, self._cache_dir)
                self._clear_leftovers()
                self._initialise(programs, account)
                self._spawn(programs, account)
            self.wait_ready()
        return self.url

    def stop(self) -> None:
        """No server of this folder runs any more; one that does not end in time is killed and recovers at its start."""
        if not self._home.exists():
            return
        with self._lock():
            running = self._running()
            if running is not None and not stop(running, signals=STOP):
                raise errors.did_not_start(str(self.log_file), f"pid {running.pid} cannot be killed")
            if self._child is not None:
                self._child.wait()
                self._child = None

    @property
    def is_running(self) -> bool:
        """Whether a server of this folder runs, whoever started it."""
        return self._running() is not None

    @property
    def pid(self) -> int | None:
        """The server's process, None when it does not run."""
        running = self._running()
        return running.pid if running else None

    @property
    def url(self) -> str:
        """The superuser's URL; fixed from the first start on. Raises FileNotFoundError before it."""
        password = (self._home / "password").read_text()
        port = (self._home / "port").read_text()
        return f"postgresql://postgres:{password}@{HOST}:{port}/postgres"

    @property
    def data_id(self) -> str:
        """Names this data: another folder, or the same made anew, has another one. Postgres calls it system identifier.

        Raises FileNotFoundError before the first start.
        """
        with (self._data / "global" / "pg_control").open("rb") as control:
            return control.read(8).hex()  # its first field, see src/include/catalog/pg_control.h

    @property
    def log_file(self) -> Path:
        """What the server itself says."""
        return self._home / "server.log"

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """The server takes connections. Raises PostgresNotStarted when it ended or is not ready in time."""
        deadline = time.monotonic() + within_s
        while not self._says_ready():
            if self._child is not None and self._child.poll() is not None:
                raise errors.did_not_start(str(self.log_file), self._tail())
            if time.monotonic() > deadline:
                raise errors.did_not_start(str(self.log_file), self._tail())
            time.sleep(POLL_S)

    def _is_listening(self) -> bool:
        """Whether what runs takes connections; one that is about to die, or to begin, gets a moment to decide."""
        port = int((self._home / "port").read_text())
        deadline = time.monotonic() + LEFTOVERS_WITHIN_S
        while self._running() is not None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return True
            time.sleep(POLL_S)
        return False

    def _await_end(self) -> None:
        """Nothing of this folder runs. Raises PostgresNotStarted when something stays that takes no connections."""
        running = self._running()
        if running is not None and not stop(running, signals=STOP):
            raise errors.did_not_start(str(self.log_file), f"pid {running.pid} cannot be killed")

    def _prepare_home(self, account: pwd.struct_passwd | None) -> None:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o711)
        if account is None:
            return
        self._home.chmod(0o711)
        closed = binaries.first_closed(self._home)
        if closed is not None:
            raise errors.not_reachable(str(closed), account.pw_name)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._home / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _pid_lines(self) -> list[str]:
        """Lines of postmaster.pid: pid, data folder, start, port, socket folder, address, memory, state."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _running(self) -> Identity | None:
        """The server that works on our data folder: the pid that it wrote, if that is a Postgres started on it."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        lines = self._pid_lines()
        if not lines or not lines[0].strip().isdigit():
            return None
        identity = identify(int(lines[0]))
        if identity is None:
            return None
        try:
            command = psutil.Process(identity.pid).cmdline()
        except psutil.NoSuchProcess:
            return None
        is_ours = bool(command) and Path(command[0]).name == "postgres" and str(self._data) in command
        return identity if is_ours and is_alive(identity) else None

    def _says_ready(self) -> bool:
        lines = self._pid_lines()
        state_line = 8
        return len(lines) >= state_line and lines[state_line - 1].strip() == "ready" and self._running() is not None

    def _clear_leftovers(self) -> None:
        """After kill -9 of the server: its children have ended and its pid file, which may name a stranger, is gone.

        Postgres guards its memory by that file, so it goes only when nobody works in the folder any more.
        """
        if not (self._data / "postmaster.pid").exists():
            return
        deadline = time.monotonic() + LEFTOVERS_WITHIN_S
        while left := _working_in(self._data):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
            psutil.wait_procs(left, timeout=1.0)
        self._log.warning("postgres.recovering_after_kill", data=str(self._data))
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self, programs: binaries.Binaries, account: pwd.struct_passwd | None) -> None:
        """The data folder exists complete or not at all: it is made aside and renamed."""
        version = self._data / "PG_VERSION"
        if version.exists():
            theirs = version.read_text().strip()
            if theirs != str(programs.major):
                raise errors.other_version(str(self._data), theirs, programs.major)
            return
        for unfinished in self._home.glob("new-*"):
            shutil.rmtree(unfinished)
        password = self._own_password()
        making = Path(tempfile.mkdtemp(dir=self._home, prefix="new-"))
        (making / "password").touch(mode=0o600)
        (making / "password").write_text(password)
        (making / "data").mkdir(mode=0o700)
        if account is not None:
            for path in (making, making / "data", making / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if programs.major < BUILTIN_LOCALE_SINCE:
            locale = ["--locale=C.UTF-8"]
        made = subprocess.run(  # noqa: S603 - our own program and arguments
            [programs.bin_dir / "initdb", "-D", making / "data", "-U", "postgres", "--auth=scram-sha-256",
             f"--pwfile={making / 'password'}", "-E", "UTF8", "--no-sync", "--no-instructions", *locale],
            capture_output=True, text=True, check=False, cwd="/", env=_environment(),
            start_new_session=True, **_as_user(account),
        )  # fmt: skip
        if made.returncode != 0:
            raise errors.did_not_start("initdb", made.stderr)
        (making / "data").rename(self._data)
        shutil.rmtree(making)

    def _own_password(self) -> str:
        file = self._home / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _spawn(self, programs: binaries.Binaries, account: pwd.struct_passwd | None) -> None:
        """Starts the server on its port of last time, on another one when that is taken meanwhile."""
        options = [*OPTIONS, *(() if self._durable else NOT_DURABLE)]
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.rename(self.log_file.with_suffix(".log.1"))
        for attempt in range(PORT_TRIES):
            port = self._choose_port(fresh=attempt > 0)
            with self.log_file.open("ab") as log:
                begins = log.tell()
                command: list[Path | str] = [programs.bin_dir / "postgres", "-D", self._data, "-p", str(port)]
                command += [part for option in options for part in ("-c", option)]
                self._child = subprocess.Popen(  # noqa: S603 - our own program and arguments
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(),
                    start_new_session=True, **_as_user(account),
                )  # fmt: skip
            try:
                self.wait_ready()
            except errors.PostgresNotStarted:
                if "Address already in use" in self._tail(begins) and attempt < PORT_TRIES - 1:
                    continue
                raise
            self._log.info("postgres.started", port=port, pid=self._child.pid)
            return

    def _choose_port(self, *, fresh: bool) -> int:
        file = self._home / "port"
        if file.exists() and not fresh:
            return int(file.read_text())
        port = _free_port()
        file.write_text(str(port))
        return port

    def _tail(self, begins: int | None = None, limit_bytes: int = 3000) -> str:
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, end - limit_bytes, begins or 0))
            return log.read().decode(errors="replace").strip()


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root; Postgres refuses to be root itself."""
    return pwd.getpwnam(ROOT_RUNS_AS) if os.geteuid() == 0 else None


def _as_user(account: pwd.struct_passwd | None) -> _AsUser:
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _environment() -> dict[str, str]:
    """Nothing of ours reaches the server: PG* variables would change it, and it needs no secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def _working_in(folder: Path) -> list[psutil.Process]:
    """Postgres processes of the folder: each has it as its working directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.name().startswith("postgres") and process.cwd() == str(folder):
                found.append(process)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
