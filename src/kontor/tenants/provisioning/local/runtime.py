"""LocalRuntime: the real OpenClaw, one process per instance, each with a user, a folder and a port of its own.

A process outlives whoever started it and is found again by pid and start time. Its standard output holds every answer
and is thrown away; its environment is made from nothing.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import httpx
import psutil
import structlog

from kontor.core.embedded.process import Identity, identify, is_alive, kill_session, stop
from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning import install, openclaw_config
from kontor.tenants.provisioning.local.record import (
    Place,
    Record,
    free_port,
    free_uid,
    instances_in,
    make_folder,
    numbering,
    port_is_free,
)
from kontor.tenants.provisioning.runtime import Observation, Observed, RuntimeFailure
from kontor.tenants.provisioning.spec import InstanceSpec

log = structlog.get_logger(__name__)

PROBE_S: Final = 2.0
CHUNK_BYTES: Final = 256 * 1024
STOP: Final = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SETPRIV: Final = shutil.which("setpriv")

T = TypeVar("T")


class LocalRuntime:
    """The instances below one folder. Several control planes may look after the same folder at the same time."""

    def __init__(self, instances: Path, cache_dir: Path) -> None:
        self._instances = instances.absolute()
        self._cache_dir = cache_dir
        self._children: dict[InstanceId, subprocess.Popen[bytes]] = {}
        self._http = httpx.AsyncClient(timeout=PROBE_S, trust_env=False)

    async def close(self) -> None:
        """Connections are closed; processes run on, and Popen is told not to miss them."""
        for child in self._children.values():
            child.returncode = child.poll() or 0
        await self._http.aclose()

    async def ensure(self, spec: InstanceSpec) -> None:
        """A process runs for the instance; one that runs already is left alone. Raises RuntimeFailure."""
        await _thread(lambda: self._ensure(spec))

    async def observe(self, instance: InstanceId) -> Observation:
        """What is; a process beyond its memory is ended by this look."""
        record = await asyncio.to_thread(self._looked_at, instance)
        if record is None:
            return Observation(Observed.ABSENT)
        if record.process is None:
            if not record.wanted:
                return Observation(Observed.STOPPED)
            return Observation(Observed.FAILED, record.code or "crashed", record.detail)
        memory = _memory_mb(record.process)
        endpoint = f"http://127.0.0.1:{record.port}"
        if await self._is_ready(endpoint):
            return Observation(Observed.READY, endpoint=endpoint, memory_mb=memory)
        return Observation(Observed.STARTING, memory_mb=memory)

    async def observe_all(self) -> Mapping[InstanceId, Observation]:
        """Every instance of the folder."""
        known = await asyncio.to_thread(instances_in, self._instances)
        seen = await asyncio.gather(*(self.observe(one) for one in known))
        return {one: look for one, look in zip(known, seen, strict=True) if look.state is not Observed.ABSENT}

    async def write_files(self, instance: InstanceId, files: Mapping[str, str], revision: int) -> None:
        """The workspace holds these files, running or not. Raises RuntimeFailure."""
        await _thread(lambda: self._write_files(instance, files, revision))

    async def stop(self, instance: InstanceId) -> None:
        """No process runs; the folder stays. Raises RuntimeFailure when it cannot be ended."""
        await _thread(lambda: self._stop(instance))

    async def delete(self, instance: InstanceId) -> None:
        """Neither process nor folder is left. Raises RuntimeFailure."""
        await _thread(lambda: self._delete(instance))

    async def list_files(self, instance: InstanceId) -> list[str]:
        """Paths below the instance's home."""
        return await asyncio.to_thread(_listed, Place(self._instances, instance).home)

    async def read_file(self, instance: InstanceId, path: str) -> AsyncIterator[bytes]:
        """A file's bytes. Raises NotFound, also for a path that leads out of the home or through a link."""
        home = Place(self._instances, instance).home
        full = home / path
        if full.is_symlink() or not full.resolve().is_relative_to(home.resolve()) or not full.is_file():
            raise NotFound
        with full.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk

    async def _is_ready(self, endpoint: str) -> bool:
        try:
            return (await self._http.get(f"{endpoint}/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _ensure(self, spec: InstanceSpec) -> None:
        installed = install.find(self._cache_dir)
        place = Place(self._instances, spec.instance)
        place.create()
        with place.locked():
            record = self._looked_at_locked(place, spec.instance) or self._new_record(place)
            if record.process is not None:
                return
            port = record.port if record.port is not None and port_is_free(record.port) else free_port()
            record = replace(record, port=port, wanted=True, release=spec.release, memory_mb=spec.memory_mb)
            place.write(record)
            self._furnish(place, record, spec)
            child = self._spawn(place, record, spec, installed)
            identity = identify(child.pid)
            self._children[spec.instance] = child
            if identity is None:
                place.write(record.ended(_code(child.wait())))
                return
            place.write(
                replace(record, pid=identity.pid, started_at_s=identity.started_at_s, revision=spec.revision, code=None)
            )

    def _new_record(self, place: Place) -> Record:
        with numbering(self._instances):
            record = Record(uid=free_uid(self._instances))
            place.write(record)
        return record

    def _furnish(self, place: Place, record: Record, spec: InstanceSpec) -> None:
        for folder in (place.home, place.state, place.workspace, place.tmp):
            make_folder(folder, record.uid)
        config = openclaw_config.configuration(
            port=record.port or 0,
            bind="loopback",
            gateway_url=spec.gateway_url,
            workspace=str(place.workspace),
            log_file=str(place.log),
        )
        place.put(place.config, openclaw_config.as_text(config), record.uid)
        for name, text in spec.files.items():
            place.put(place.workspace / name, text, record.uid)

    def _spawn(
        self, place: Place, record: Record, spec: InstanceSpec, installed: install.Installation
    ) -> subprocess.Popen[bytes]:
        own = openclaw_config.environment(
            state_dir=str(place.state),
            config_file=str(place.config),
            token=spec.token,
            gateway_key=spec.gateway_key,
        )
        environment = {
            "PATH": f"{installed.node.parent}:/usr/bin:/bin",
            "HOME": str(place.home),
            "TMPDIR": str(place.tmp),
            "LANG": "C.UTF-8",
            **own,
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

    def _write_files(self, instance: InstanceId, files: Mapping[str, str], revision: int) -> None:
        place = Place(self._instances, instance)
        with contextlib.suppress(FileNotFoundError), place.locked():
            record = place.read()
            if record is not None:
                for name, text in files.items():
                    place.put(place.workspace / name, text, record.uid)
                place.write(replace(record, revision=revision))
                return
        raise RuntimeFailure("runtime_unavailable", "there is no such instance on this machine")

    def _stop(self, instance: InstanceId) -> None:
        place = Place(self._instances, instance)
        with contextlib.suppress(FileNotFoundError), place.locked():
            record = self._looked_at_locked(place, instance)
            if record is None:
                return
            self._end(instance, record.process)
            place.write(replace(record.ended(None), wanted=False))

    def _delete(self, instance: InstanceId) -> None:
        place = Place(self._instances, instance)
        with contextlib.suppress(FileNotFoundError), place.locked():
            record = self._looked_at_locked(place, instance)
            if record is not None:
                self._end(instance, record.process)
                place.write(replace(record.ended(None), wanted=False))
            # The record goes last: a deletion that is cut off is found again and completed.
            shutil.rmtree(place.home, ignore_errors=True)
            shutil.rmtree(place.root)

    def _end(self, instance: InstanceId, process: Identity | None) -> None:
        if process is not None and not stop(process, signals=STOP):
            raise RuntimeFailure("runtime_unavailable", f"pid {process.pid} cannot be ended")
        if process is not None:
            kill_session(process.pid)
        child = self._children.pop(instance, None)
        if child is not None:
            child.wait()

    def _looked_at(self, instance: InstanceId) -> Record | None:
        place = Place(self._instances, instance)
        try:
            with place.locked():
                return self._looked_at_locked(place, instance)
        except FileNotFoundError:
            return None

    def _looked_at_locked(self, place: Place, instance: InstanceId) -> Record | None:
        """The record after it has been held against what runs."""
        record = place.read()
        if record is None or record.process is None:
            return record
        child = self._children.get(instance)
        ended = child.poll() if child is not None and child.pid == record.pid else None
        if ended is None and is_alive(record.process):
            memory = _memory_mb(record.process)
            if not record.memory_mb or memory is None or memory <= record.memory_mb:
                return record
            log.warning("instance.out_of_memory", instance=str(instance), memory_mb=memory, limit_mb=record.memory_mb)
            stop(record.process, signals=((signal.SIGKILL, 5.0),))
            code, detail = "out_of_memory", f"{memory} MB used, {record.memory_mb} MB allowed"
        else:
            code, detail = _code(ended), None
            kill_session(record.process.pid)  # a child that it left behind would still hold the state
        self._children.pop(instance, None)
        record = record.ended(code if record.wanted else None, detail)
        place.write(record)
        return record


def stop_all(instances: Path) -> int:
    """No instance of the folder runs any more; returns how many did. They are found as stopped, not as failed."""
    runtime = LocalRuntime(instances, Path("/nonexistent"))
    running = 0
    for instance in instances_in(instances.absolute()):
        record = runtime._looked_at(instance)  # noqa: SLF001 - the same module
        running += record is not None and record.process is not None
        runtime._stop(instance)  # noqa: SLF001 - the same module
    return running


async def _thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        code = "disk_full" if error.errno in _FULL else "runtime_unavailable"
        raise RuntimeFailure(code, error.strerror or str(error)) from error


def _memory_mb(process: Identity) -> int | None:
    try:
        leader = psutil.Process(process.pid)
        return int(sum(one.memory_info().rss for one in (leader, *leader.children(recursive=True))) / 1_000_000)
    except psutil.Error:
        return None


def _code(returned: int | None) -> str:
    """The failure's code from a return code; None: it was not our child, nobody knows."""
    if returned is None:
        return "crashed"
    return f"signal_{-returned}" if returned < 0 else f"exit_{returned}"


def _listed(home: Path) -> list[str]:
    found = []
    for folder, _, names in os.walk(home):
        found += [str((Path(folder) / name).relative_to(home)) for name in names]
    return sorted(found)
