"""`kontor up` itself: from nothing to the addresses, then watching, then nothing again.

Order: one launcher per folder, master key, database, ports; OpenClaw is installed while the schema is made; then all
processes together. Postgres and the processes survive a killed launcher and are taken over by the next one.
"""

import base64
import hashlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from rich.console import Console

import kontor
from kontor.app.up import ports as ports_of
from kontor.app.up.lock import only_launcher
from kontor.app.up.plan import Plan, plan
from kontor.app.up.processes import Recorded, stop_others
from kontor.app.up.progress import LiveProgress, PlainProgress
from kontor.app.up.supervisor import Interrupted, Supervisor
from kontor.app.up.tasks import RunningTask, finish
from kontor.app.up.units import PostgresUnit, ProcessUnit, Unit
from kontor.core.embedded import EmbeddedPostgres
from kontor.core.settings import MASTER_KEY_BYTES, default_cache_dir, default_state_dir
from kontor.tenants.provisioning.local import stop_all

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class DemoLogin:
    """Who may log in to look around."""

    email: str
    password: str


Seed = Callable[[Mapping[str, str]], DemoLogin | None]
StopAssistants = Callable[[Path], object]


def no_demo(_: Mapping[str, str]) -> DemoLogin | None:
    """No demo login."""
    return None


class Stop:
    """What the signals say: once, to stop; twice, to hurry."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._times = 0

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came."""
        self._times += 1
        self._asked.set()

    def is_wanted(self) -> bool:
        """Somebody wants us to stop."""
        return self._asked.is_set()

    def is_urgent(self) -> bool:
        """And says so again."""
        return self._times > 1

    def pause(self, seconds: float) -> None:
        """Waits so long, or until somebody wants us to stop."""
        self._asked.wait(seconds)


def up(
    *,
    seed: Seed = no_demo,
    stop_assistants: StopAssistants = stop_all,
    environment: Mapping[str, str] | None = None,
    console: Console | None = None,
    make_plan: Callable[..., Plan] = plan,
) -> int:
    """Runs until Ctrl-C, SIGTERM or SIGHUP; then nothing runs any more. Returns the exit code 0.

    `seed` gets the processes' environment when all are ready and says who may log in; `stop_assistants` gets the folder
    of instances after API and worker have ended. Raises UpRefused or PostgresNotStarted when it cannot start.
    """
    env = dict(os.environ if environment is None else environment)
    state_dir = Path(env.get("KONTOR_STATE_DIR") or default_state_dir()).absolute()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    console = console or Console()
    with only_launcher(state_dir) as lock, _signals() as stop, ExitStack() as screen:
        live = LiveProgress(console) if console.is_terminal else None
        progress = screen.enter_context(live) if live else PlainProgress(console)
        supervisor = Supervisor(progress, stop.is_wanted, stop.pause)
        began = time.monotonic()
        try:
            planned = _start(env, state_dir, supervisor=supervisor, progress=progress, stop=stop, make_plan=make_plan)
            login = seed(planned.environment)
            screen.close()
            lock.announce(planned.addresses[0][1])
            _announce(console, planned, login, state_dir, time.monotonic() - began)
            supervisor.watch()
        except Interrupted:
            pass
        finally:
            screen.close()
            progress.say("\nStopping everything. Ctrl-C again kills what is still busy.")
            stop_others(state_dir, keep=supervisor.names)
            supervisor.stop(between=lambda: stop_assistants(state_dir / "instances"), hurry=stop.is_urgent)
        progress.say("Nothing runs any more. The data stays in " + str(state_dir))
        return 0


def _start(
    env: Mapping[str, str],
    state_dir: Path,
    *,
    supervisor: Supervisor,
    progress: PlainProgress,
    stop: Stop,
    make_plan: Callable[..., Plan],
) -> Plan:
    database_url = env.get("DATABASE_URL") or env.get("KONTOR_DATABASE_URL")
    postgres: list[Unit] = []
    if not database_url:
        cache_dir = Path(env.get("KONTOR_CACHE_DIR") or default_cache_dir())
        quiet = structlog.wrap_logger(structlog.ReturnLogger())  # the list of steps says the same
        server = EmbeddedPostgres(state_dir, cache_dir=cache_dir, log=quiet)
        postgres = [PostgresUnit(server)]
        supervisor.start(postgres)
        database_url = server.url
    chosen = _ports(env, state_dir, progress)
    planned = make_plan(
        env,
        python=sys.executable,
        state_dir=state_dir,
        database_url=database_url,
        master_key=env.get("KONTOR_MASTER_KEY") or own_master_key(state_dir / "master.key"),
        ports=chosen,
        version=version_of(Path(kontor.__file__).parent),
    )
    tasks = [RunningTask(task, state_dir, progress) for task in (planned.install, planned.migrate)]
    finish(tasks, stop.is_wanted, stop.pause)
    stop_others(state_dir, keep={program.name for program in planned.programs})
    supervisor.start([ProcessUnit(program, state_dir) for program in planned.programs])
    return planned


def _ports(env: Mapping[str, str], state_dir: Path, progress: PlainProgress) -> dict[str, int]:
    file = state_dir / "ports.json"
    remembered = ports_of.recall(file)
    held = {name for name in ports_of.USUAL if Recorded(state_dir, name).running() is not None}
    held |= {"smtp"} if "outbox" in held else set()
    chosen = ports_of.choose(env, remembered, held, ports_of.is_free)
    for name, port in chosen.items():
        if name not in remembered and port != ports_of.USUAL[name] and not env.get(ports_of.VARIABLES.get(name, "")):
            progress.say(f"Port {ports_of.USUAL[name]} is taken: {name} gets {port}, from now on.")
    ports_of.remember(file, chosen)
    return chosen


def own_master_key(file: Path) -> str:
    """The key of this folder, made at the first start. Whoever loses the file loses the data."""
    if not file.exists():
        descriptor = os.open(file.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)))
            out.flush()
            os.fsync(out.fileno())
        file.with_suffix(".new").rename(file)
    return file.read_text().strip()


def version_of(package: Path) -> str:
    """Changes with every changed file of the program, so that a changed program is not taken over as it was."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(package.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            seen = file.stat()
            digest.update(f"{file} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _announce(console: Console, planned: Plan, login: DemoLogin | None, state_dir: Path, took_s: float) -> None:
    lines = [*planned.addresses]
    if login is not None:
        lines.append(("Demo login", f"{login.email}   {login.password}"))
    lines.append(("Logs", str(state_dir / "logs")))
    width = max(len(label) for label, _ in lines)
    console.print(f"\n[bold green]Kontor is running[/] ({took_s:.1f} s). Ctrl-C stops it.\n", highlight=False)
    for label, text in lines:
        console.print(f"  {label:<{width}}  {text}", markup=False, highlight=False, soft_wrap=True)
    console.print()


@contextmanager
def _signals() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
