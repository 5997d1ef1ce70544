"""The process of one instance: started from nothing but its spec, found again, measured, explained when it ended."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import psutil

from kontor.core.embedded.process import Identity, identify
from kontor.core.errors import NotFound
from kontor.tenants.provisioning import openclaw_config
from kontor.tenants.provisioning.install import Installation
from kontor.tenants.provisioning.local.record import Place, Record
from kontor.tenants.provisioning.local.volume import Volume
from kontor.tenants.provisioning.spec import InstanceSpec

LOCKS: Final = Path("/tmp")  # noqa: S108 - OpenClaw 2026.9.4 keeps its locks there, whatever TMPDIR says
DATABASE: Final = "state/state/openclaw.sqlite"
REAP_S: Final = 5.0
LOG_BYTES: Final = 64 * 1024
LONGEST_DETAIL: Final = 300
_SETPRIV: Final = shutil.which("setpriv")


def furnish(place: Place, record: Record, spec: InstanceSpec) -> None:
    """The volume holds what the process needs. Raises OSError."""
    volume = place.volume(record.uid)
    volume.make("state", "workspace", "tmp")
    volume.set_aside(place.log.name)  # so that the log is this process's alone
    write_files(place, record, spec)


def write_files(place: Place, record: Record, spec: InstanceSpec) -> None:
    """Configuration and workspace are as the spec says. OpenClaw reads both again by itself. Raises OSError."""
    volume = place.volume(record.uid)
    volume.make()
    config = openclaw_config.configuration(
        port=record.port or 0,
        bind="loopback",
        gateway_url=spec.gateway_url,
        workspace=str(place.workspace),
        log_file=str(place.log),
        dialect=spec.dialect,
    )
    text = openclaw_config.as_text(config)
    if not _holds(volume, place.config.name, text):  # what is written makes a running one look what is new
        volume.put(place.config.name, text)
    for name, text in spec.files.items():
        volume.put(f"workspace/{name}", text)


def spawn(place: Place, record: Record, spec: InstanceSpec, installed: Installation) -> subprocess.Popen[bytes]:
    """The process runs, in a session of its own, as the instance's user, without a way to more rights."""
    environment = {
        "PATH": f"{installed.node.parent}:/usr/bin:/bin",
        "HOME": str(place.home),
        "TMPDIR": str(place.tmp),
        "LANG": "C.UTF-8",
        **openclaw_config.environment(
            state_dir=str(place.state),
            config_file=str(place.config),
            token=spec.token,
            gateway_key=spec.gateway_key,
        ),
    }
    command = [str(installed.node), str(installed.entry), "gateway", "run"]
    if _SETPRIV is not None:
        command = [_SETPRIV, "--no-new-privs", "--", *command]
    as_user = {} if record.uid is None else {"user": record.uid, "group": record.uid, "extra_groups": []}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # noqa: S603 - our own program
        command,
        env=environment,
        cwd=place.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=0o077,
        **as_user,
    )


def find_unrecorded(place: Place, uid: int | None) -> Identity | None:
    """The process that was started for this instance by somebody who was killed before he could write it down."""
    user = os.getuid() if uid is None else uid
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                process.uids().real == user
                and os.getsid(process.pid) == process.pid
                and process.environ().get("OPENCLAW_STATE_DIR") == str(place.state)
            ):
                return identify(process.pid)
    return None


def memory_mb(process: Identity) -> int | None:
    """What it and its children hold; None when it has ended."""
    try:
        leader = psutil.Process(process.pid)
        return int(sum(one.memory_info().rss for one in (leader, *leader.children(recursive=True))) / 1_000_000)
    except psutil.Error:
        return None


def reaped(child: subprocess.Popen[bytes]) -> int | None:
    """The return code of a child that has ended. The kernel gives it when its last thread is gone, a moment later."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(REAP_S)
    return None


def why(place: Place, record: Record, returned: int | None) -> tuple[str, str | None]:
    """Code and detail of a process that ended by itself. None: it was not our child, nobody knows the return code."""
    errors = list(_errors(place, record))
    if any("EADDRINUSE" in error for error in errors):
        return "port_taken", f"port {record.port}"
    for error in errors:
        if "failed to start" in error:
            return _code(returned), " ".join(error.split())[:LONGEST_DETAIL]
    return _code(returned), None


def remove_locks(place: Place, uid: int | None) -> None:
    """What OpenClaw keeps outside the volume is gone: empty lock files, named for the paths of its databases."""
    user = os.getuid() if uid is None else uid
    home = place.home.resolve()
    databases = {path for path in place.volume(uid).paths() if path.endswith(".sqlite")} | {DATABASE}
    marks = {hashlib.sha256(str(home / path).encode()).hexdigest()[:8] for path in databases}
    folder = LOCKS / f"openclaw-state-locks-{user}"
    with contextlib.suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(held).st_uid == user:
                for name in os.listdir(held):  # noqa: PTH208 - pathlib lists no open folder
                    if any(f".{mark}.lock.sqlite" in name for mark in marks):
                        os.unlink(name, dir_fd=held)
        finally:
            os.close(held)
        folder.rmdir()  # unless others' are still in it


def _holds(volume: Volume, path: str, text: str) -> bool:
    content = text.encode()
    try:
        with volume.open(path) as file:
            return file.read(len(content) + 1) == content
    except NotFound:
        return False


def _code(returned: int | None) -> str:
    if returned is None:
        return "crashed"
    return f"signal_{-returned}" if returned < 0 else f"exit_{returned}"


def _errors(place: Place, record: Record) -> Iterator[str]:
    """Errors that the process logged, oldest first. Those of a turn may hold content: only known ones go on."""
    try:
        with place.volume(record.uid).open(place.log.name) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - LOG_BYTES))
            lines = file.read().splitlines()
    except (NotFound, OSError):
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            entry = orjson.loads(line)
            if entry["_meta"]["logLevelName"] in {"ERROR", "FATAL"}:
                yield str(entry["message"])
