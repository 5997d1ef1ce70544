"""From nothing, or from what a killed launcher left, to all processes ready.

Order: database, ports, plan; OpenClaw is installed while the schema is made; then all processes together.
"""

import base64
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

import kontor
from kontor.app.up import ports as ports_of
from kontor.app.up.plan import Plan
from kontor.app.up.processes import Recorded, stop_others
from kontor.app.up.progress import Progress
from kontor.app.up.schema import MigratedMark, mark_of
from kontor.app.up.supervisor import Supervisor
from kontor.app.up.tasks import RunningTask, finish
from kontor.app.up.units import PostgresUnit, ProcessUnit
from kontor.core.embedded import EmbeddedPostgres
from kontor.core.settings import MASTER_KEY_BYTES, default_cache_dir
from kontor.tenants.provisioning.install import NotInstalled, find

PACKAGE: Final = Path(kontor.__file__).parent
MIGRATIONS: Final = PACKAGE.parents[1] / "migrations"


@dataclass(frozen=True)
class Database:
    """Where the data is; `data_id` only for our own server."""

    url: str
    data_id: str | None = None


def start_all(
    environment: Mapping[str, str],
    state_dir: Path,
    supervisor: Supervisor,
    progress: Progress,
    make_plan: Callable[..., Plan],
) -> Plan:
    """All processes are ready, and in the supervisor's care. Raises UpRefused, PostgresNotStarted, Interrupted."""
    cache_dir = Path(environment.get("KONTOR_CACHE_DIR") or default_cache_dir())
    database = _database(environment, state_dir, cache_dir, supervisor)
    version = version_of(PACKAGE, MIGRATIONS)
    master_key = environment.get("KONTOR_MASTER_KEY") or own_master_key(state_dir / "master.key")
    planned = make_plan(
        environment,
        python=sys.executable,
        state_dir=state_dir,
        database_url=database.url,
        master_key=master_key,
        ports=_ports(environment, state_dir, progress),
        version=version,
        needs_openclaw=environment.get("KONTOR_RUNTIME", "local") == "local" and not _is_installed(cache_dir),
    )
    wanted = mark_of(database.data_id, version, master_key) if database.data_id else None
    migrated = MigratedMark(state_dir, wanted)
    needed = [*planned.installs, *([] if migrated.is_current() else [planned.migrate])]
    migrated.forget()  # until all processes have come up on it
    finish([RunningTask(task, state_dir, progress) for task in needed], supervisor.stop)
    stop_others(state_dir, keep={program.name for program in planned.programs})
    supervisor.start([ProcessUnit(program, state_dir) for program in planned.programs])
    migrated.set()
    return planned


def _database(environment: Mapping[str, str], state_dir: Path, cache_dir: Path, supervisor: Supervisor) -> Database:
    if url := environment.get("DATABASE_URL") or environment.get("KONTOR_DATABASE_URL"):
        return Database(url)
    quiet = structlog.wrap_logger(structlog.ReturnLogger())  # the list of steps says the same
    server = EmbeddedPostgres(state_dir, cache_dir=cache_dir, log=quiet)
    supervisor.start([PostgresUnit(server)])
    return Database(server.url, server.data_id)


def _ports(environment: Mapping[str, str], state_dir: Path, progress: Progress) -> dict[str, int]:
    file = state_dir / "ports.json"
    remembered = ports_of.recall(file)
    held = {name for name in ports_of.USUAL if Recorded(state_dir, name).running() is not None}
    held |= {"smtp"} if "outbox" in held else set()
    chosen = ports_of.choose(environment, remembered, held, ports_of.is_free)
    for name, port in chosen.items():
        asked = environment.get(ports_of.VARIABLES.get(name, ""))
        if name not in remembered and port != ports_of.USUAL[name] and not asked:
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


def version_of(*folders: Path) -> str:
    """Changes with every changed file of the program, so that a changed program is not taken over as it was."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(file for folder in folders for file in folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            seen = file.stat()
            digest.update(f"{file} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _is_installed(cache_dir: Path) -> bool:
    try:
        find(cache_dir)
    except NotInstalled:
        return False
    return True
