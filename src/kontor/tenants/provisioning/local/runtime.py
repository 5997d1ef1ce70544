"""LocalRuntime: the real OpenClaw, one process per instance, each with a user, a folder and a port of its own.

A process outlives whoever started it and is found again by pid and start time. Its standard output holds every answer
and is thrown away; its environment is made from nothing.
"""

import asyncio
import errno
import functools
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import httpx
import structlog

from kontor.core.embedded.process import Identity, identify, is_alive, kill_session, stop
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning import install
from kontor.tenants.provisioning.local.process import (
    find_unrecorded,
    furnish,
    memory_mb,
    reaped,
    remove_locks,
    spawn,
    why,
    write_files,
)
from kontor.tenants.provisioning.local.record import Place, Record, free_port, instances_in, new_uid, port_is_free
from kontor.tenants.provisioning.runtime import Observation, Observed, RuntimeFailure
from kontor.tenants.provisioning.spec import InstanceSpec
from kontor.tenants.provisioning.talk import http_client

log = structlog.get_logger(__name__)

PROBE_S: Final = 2.0
CHUNK_BYTES: Final = 256 * 1024
HANDS: Final = 8
GENTLY: Final = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))
AT_ONCE: Final = ((signal.SIGKILL, 5.0),)
NOTHING_KEPT: Final = Record(uid=None)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class LocalRuntime:
    """The instances below one folder. Several control planes may look after the same folder at the same time."""

    def __init__(self, instances: Path, cache_dir: Path) -> None:
        self._instances = instances.absolute()
        self._cache_dir = cache_dir
        self._children: dict[InstanceId, subprocess.Popen[bytes]] = {}
        self._http = http_client(read_s=PROBE_S)
        # Apart from the pool that looks: ending a process may take half a minute, and nobody waits for it to look.
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="instances")

    async def close(self) -> None:
        """Connections are closed; processes run on."""
        for child in self._children.values():
            _let_go(child)
        self._hands.shutdown(wait=False)
        await self._http.aclose()

    async def ensure(self, spec: InstanceSpec) -> None:
        """A process runs for the instance; one that runs already is left alone. Raises RuntimeFailure."""
        await self._do(lambda: self._ensure(spec))

    async def observe(self, instance: InstanceId) -> Observation:
        """What is; a process beyond its memory is ended by this look."""
        record, is_busy = await asyncio.to_thread(self._looked_at, instance)
        if record is None:
            return Observation(Observed.ABSENT)
        if record.process is None:
            if not record.wanted:
                return Observation(Observed.STOPPED)
            if is_busy:
                return Observation(Observed.STARTING)
            return Observation(Observed.FAILED, record.code or "crashed", record.detail)
        memory = memory_mb(record.process)
        endpoint = f"http://127.0.0.1:{record.port}"
        if await self._is_ready(endpoint):
            return Observation(Observed.READY, endpoint=endpoint, memory_mb=memory)
        return Observation(Observed.STARTING, memory_mb=memory)

    async def observe_all(self) -> Mapping[InstanceId, Observation]:
        """Every instance of the folder."""
        known = await asyncio.to_thread(instances_in, self._instances)
        seen = await asyncio.gather(*(self.observe(one) for one in known))
        return {one: look for one, look in zip(known, seen, strict=True) if look.state is not Observed.ABSENT}

    async def write_files(self, spec: InstanceSpec) -> None:
        """Workspace and configuration are as the spec says, running or not. Raises RuntimeFailure."""
        await self._do(lambda: self._write_files(spec))

    async def stop(self, instance: InstanceId) -> None:
        """No process runs; the folder stays. Raises RuntimeFailure when it cannot be ended."""
        await self._do(lambda: self._stop(instance))

    async def delete(self, instance: InstanceId) -> None:
        """Neither process nor folder is left. Raises RuntimeFailure."""
        await self._do(lambda: self._delete(instance))

    async def list_files(self, instance: InstanceId) -> list[str]:
        """Paths below the instance's home."""
        return await asyncio.to_thread(Place(self._instances, instance).volume(None).paths)

    async def read_file(self, instance: InstanceId, path: str) -> AsyncIterator[bytes]:
        """A file's bytes. Raises NotFound, also for a path that leads out of the volume or through a link."""
        place = Place(self._instances, instance)
        record = await asyncio.to_thread(place.read) or NOTHING_KEPT
        with await asyncio.to_thread(place.volume(record.uid).open, path) as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk

    async def _is_ready(self, endpoint: str) -> bool:
        try:
            return (await self._http.get(f"{endpoint}/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._hands, work)
        except OSError as error:
            code = "disk_full" if error.errno in _FULL else "runtime_unavailable"
            raise RuntimeFailure(code, error.strerror or str(error)) from error

    def _ensure(self, spec: InstanceSpec) -> None:
        installed = install.find(self._cache_dir)
        place = Place(self._instances, spec.instance)
        place.create()
        with place.locked():
            record = self._settled(place, spec.instance) or Record(uid=new_uid(self._instances))
            if record.process is not None:
                return
            port = record.port if record.port is not None and port_is_free(record.port) else free_port()
            record = replace(record, port=port, wanted=True, release=spec.release, memory_mb=spec.memory_mb)
            place.write(record)
            furnish(place, record, spec)
            place.write(replace(record, is_spawning=True))
            child = spawn(place, record, spec, installed)
            _let_go(self._children.get(spec.instance))
            self._children[spec.instance] = child
            identity = identify(child.pid)
            if identity is None:
                place.write(record.ended(*why(place, record, reaped(child))))
                return
            place.write(
                replace(
                    record,
                    pid=identity.pid,
                    started_at_s=identity.started_at_s,
                    revision=spec.revision,
                    code=None,
                    detail=None,
                )
            )

    def _write_files(self, spec: InstanceSpec) -> None:
        place = Place(self._instances, spec.instance)
        with suppress(FileNotFoundError), place.locked():
            record = place.read()
            if record is not None:
                write_files(place, record, spec)
                place.write(replace(record, revision=spec.revision))
                return
        raise RuntimeFailure("runtime_unavailable", "there is no such instance on this machine")

    def _stop(self, instance: InstanceId) -> None:
        place = Place(self._instances, instance)
        with suppress(FileNotFoundError), place.locked():
            record = self._settled(place, instance)
            if record is None:
                return
            self._end(instance, record.process)
            place.write(replace(record.ended(None), wanted=False))

    def _delete(self, instance: InstanceId) -> None:
        place = Place(self._instances, instance)
        with suppress(FileNotFoundError), place.locked():
            record = self._settled(place, instance)
            if record is not None:
                self._end(instance, record.process)
                place.write(replace(record.ended(None), wanted=False))
                remove_locks(place, record.uid)
            # The record goes last: a deletion that is cut off is found again and completed.
            shutil.rmtree(place.home, ignore_errors=True)
            shutil.rmtree(place.root)

    def _end(
        self,
        instance: InstanceId,
        process: Identity | None,
        signals: tuple[tuple[signal.Signals, float], ...] = GENTLY,
    ) -> None:
        if process is not None and not stop(process, signals=signals):
            raise RuntimeFailure("runtime_unavailable", f"pid {process.pid} cannot be ended")
        if process is not None:
            kill_session(process.pid)
        child = self._children.pop(instance, None)
        if child is not None:
            reaped(child)

    def _looked_at(self, instance: InstanceId) -> tuple[Record | None, bool]:
        """The record, and whether somebody is changing the instance just now; None when nothing of it is there."""
        place = Place(self._instances, instance)
        try:
            with place.locked(waits=False):
                return self._settled(place, instance) or NOTHING_KEPT, False
        except BlockingIOError:
            return place.read() or NOTHING_KEPT, True
        except FileNotFoundError:
            return None, False

    def _settled(self, place: Place, instance: InstanceId) -> Record | None:
        """The record after it has been held against what runs; call with the lock held. None: there is no record."""
        record = place.read()
        if record is not None and record.is_spawning:
            found = find_unrecorded(place, record.uid)
            record = replace(
                record,
                is_spawning=False,
                pid=found.pid if found else None,
                started_at_s=found.started_at_s if found else None,
            )
            place.write(record)
        if record is None or record.process is None:
            return record
        child = self._children.get(instance)
        ours = child if child is not None and child.pid == record.pid else None
        returned = ours.poll() if ours is not None else None
        if returned is None and is_alive(record.process):
            memory = memory_mb(record.process)
            if not record.memory_mb or memory is None or memory <= record.memory_mb:
                return record
            log.warning("instance.out_of_memory", instance=str(instance), memory_mb=memory, limit_mb=record.memory_mb)
            self._end(instance, record.process, AT_ONCE)
            why_it_ended: tuple[str, str | None] = "out_of_memory", f"{memory} MB used, {record.memory_mb} MB allowed"
        else:
            why_it_ended = why(place, record, reaped(ours) if ours is not None else None)
            kill_session(record.process.pid)  # a child that it left behind would still hold the state
        self._children.pop(instance, None)
        record = record.ended(*why_it_ended) if record.wanted else record.ended(None)
        place.write(record)
        return record


def stop_all(instances: Path) -> int:
    """No instance of the folder runs any more; returns how many did. They are found as stopped, not as failed."""
    runtime = LocalRuntime(instances, Path("/nonexistent"))
    with ThreadPoolExecutor(HANDS) as hands:
        return sum(hands.map(functools.partial(_stopped, runtime), instances_in(instances.absolute())))


def _stopped(runtime: LocalRuntime, instance: InstanceId) -> bool:
    record, _ = runtime._looked_at(instance)  # noqa: SLF001 - the same module
    runtime._stop(instance)  # noqa: SLF001 - the same module
    return record is not None and record.process is not None


def _let_go(child: subprocess.Popen[bytes] | None) -> None:
    """Popen does not miss a child that runs on without it."""
    if child is not None:
        child.returncode = child.poll() or 0
