"""What LocalRuntime promises about processes, users, folders and locks, with a program that starts at once."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId, new_id
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.local.process import LOCKS
from kontor.tenants.provisioning.local.record import Place, Record, new_uid
from kontor.tenants.provisioning.runtime import Observed, RuntimeFailure
from kontor.tenants.provisioning.spec import RELEASE, InstanceSpec
from support.eventually import eventually, eventually_sync
from support.places import open_folder
from support.pretended import RELUCTANT, SLEEPS, pretended_openclaw

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives instances users of their own")


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made
        stop_all(made / "instances")


@pytest.fixture
async def runtime(folder: Path) -> AsyncIterator[LocalRuntime]:
    made = LocalRuntime(folder / "instances", pretended_openclaw(folder / "cache", SLEEPS))
    yield made
    await made.close()


def some_spec(**changes: object) -> InstanceSpec:
    spec = InstanceSpec(InstanceId(new_id()), RELEASE, 1, {"AGENTS.md": "x"}, 900, "http://127.0.0.1:9", "t", "k")
    return replace(spec, **changes)  # type: ignore[arg-type]


def processes_of(place: Place) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("OPENCLAW_STATE_DIR") == str(place.state):
                found.append(process)
        except psutil.Error:
            continue
    return found


def record_of(place: Place) -> Record:
    record = place.read()
    assert record is not None
    return record


async def test_a_process_whose_starter_was_killed_before_writing_it_down_is_found_and_not_started_twice(
    runtime: LocalRuntime, folder: Path
) -> None:
    spec = some_spec()
    place = Place(folder / "instances", spec.instance)
    code = f"""
import os, asyncio
from pathlib import Path
from uuid import UUID
from kontor.tenants.provisioning.local import LocalRuntime, runtime
from kontor.tenants.provisioning.spec import InstanceSpec
runtime.identify = lambda pid: os.kill(os.getpid(), 9)
spec = InstanceSpec(UUID("{spec.instance}"), "{RELEASE}", 1, {{"AGENTS.md": "x"}}, 900, "http://127.0.0.1:9", "t", "k")
asyncio.run(LocalRuntime(Path("{folder}/instances"), Path("{folder}/cache")).ensure(spec))
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    [left] = processes_of(place)

    assert (await runtime.observe(spec.instance)).state is Observed.STARTING
    await runtime.ensure(spec)

    assert record_of(place).pid == left.pid
    assert processes_of(place) == [left]
    await runtime.delete(spec.instance)
    assert processes_of(place) == []


async def test_a_starter_that_was_killed_before_the_process_is_completed(runtime: LocalRuntime, folder: Path) -> None:
    spec = some_spec()
    place = Place(folder / "instances", spec.instance)
    await runtime.ensure(spec)
    await runtime.stop(spec.instance)
    place.write(replace(record_of(place), wanted=True, is_spawning=True))

    assert (await runtime.observe(spec.instance)).state is Observed.FAILED
    await runtime.ensure(spec)

    assert len(processes_of(place)) == 1


async def test_two_control_planes_start_one_process(runtime: LocalRuntime, folder: Path) -> None:
    spec = some_spec()
    other = LocalRuntime(folder / "instances", folder / "cache")

    await asyncio.gather(*(one.ensure(spec) for one in (runtime, other) * 4))

    assert len(processes_of(Place(folder / "instances", spec.instance))) == 1
    await other.close()


async def test_nobody_who_looks_waits_for_a_process_that_takes_long_to_end(folder: Path) -> None:
    runtime = LocalRuntime(folder / "instances", pretended_openclaw(folder / "reluctant", RELUCTANT))
    reluctant, spec = some_spec(), some_spec()
    await runtime.ensure(spec)
    await runtime.ensure(reluctant)
    place = Place(folder / "instances", reluctant.instance)
    await eventually(lambda: asyncio.to_thread((place.tmp / "up").exists))
    stopping = asyncio.create_task(runtime.stop(reluctant.instance))

    async def is_held() -> bool:
        def held() -> bool:
            try:
                with place.locked(waits=False):
                    return False
            except BlockingIOError:
                return True

        return await asyncio.to_thread(held)

    await eventually(is_held)
    seen = await runtime.observe_all()

    assert not stopping.done()
    assert {look.state for look in seen.values()} == {Observed.STARTING}
    for process in (*processes_of(place), *processes_of(Place(folder / "instances", spec.instance))):
        process.kill()
    await stopping
    assert (await runtime.observe(reluctant.instance)).state is Observed.STOPPED
    await runtime.close()


async def test_a_deletion_that_was_cut_off_at_its_end_is_seen_and_completed(
    runtime: LocalRuntime, folder: Path
) -> None:
    instance = InstanceId(new_id())
    place = Place(folder / "instances", instance)
    place.create()

    assert [look.state for look in (await runtime.observe_all()).values()] == [Observed.STOPPED]
    await runtime.delete(instance)

    assert await runtime.observe_all() == {}
    assert not place.root.exists()


async def test_a_process_beyond_its_memory_is_ended_and_told(runtime: LocalRuntime, folder: Path) -> None:
    spec = some_spec()
    await runtime.ensure(spec)
    place = Place(folder / "instances", spec.instance)
    eventually_sync(lambda: psutil.Process(record_of(place).pid or 0).memory_info().rss > 1_000_000)
    place.write(replace(record_of(place), memory_mb=-1))

    seen = await runtime.observe(spec.instance)

    assert (seen.state, seen.code) == (Observed.FAILED, "out_of_memory")
    assert processes_of(place) == []


@pytest.mark.parametrize(
    ("message", "returned", "code", "detail"),
    [
        (
            "Gateway failed to start: another one is listening | listen EADDRINUSE: address in use",
            1,
            "port_taken",
            "port ",
        ),
        ("Gateway failed to start: Invalid config: nonsense", 78, "exit_78", "Gateway failed to start: Invalid config"),
        ("Jürgen fragt nach seinem Gehalt", 1, "exit_1", None),
    ],
)
async def test_a_start_that_fails_says_why_and_tells_nothing_of_conversations(
    folder: Path, message: str, returned: int, code: str, detail: str | None
) -> None:
    line = f'{{"message":"{message}","time":"2099-01-01T00:00:00.000+00:00","_meta":{{"logLevelName":"ERROR"}}}}'
    script = f"echo '{line}' > $HOME/openclaw.log; exit {returned}"
    runtime = LocalRuntime(folder / "instances", pretended_openclaw(folder / "failing", script))
    spec = some_spec()
    await runtime.ensure(spec)

    async def failed() -> tuple[str | None, str | None] | None:
        seen = await runtime.observe(spec.instance)
        return (seen.code, seen.detail) if seen.state is Observed.FAILED else None

    told = await eventually(failed)

    assert told[0] == code
    assert (told[1] or "").startswith(detail or "")
    assert (told[1] is None) == (detail is None)
    await runtime.close()


async def test_what_an_instance_keeps_outside_its_folder_goes_with_it(runtime: LocalRuntime, folder: Path) -> None:
    spec = some_spec()
    await runtime.ensure(spec)
    place = Place(folder / "instances", spec.instance)
    uid = record_of(place).uid
    locks = LOCKS / f"openclaw-state-locks-{os.getuid() if uid is None else uid}"
    agent = place.state / "agents" / "main" / "agent" / "openclaw-agent.sqlite"
    agent.parent.mkdir(parents=True)
    agent.touch()
    own = [
        locks / f"state-handles.{hashlib.sha256(str(database).encode()).hexdigest()[:8]}.lock.sqlite"
        for database in (place.state / "state" / "openclaw.sqlite", agent)
    ]
    others = locks / "state-handles.00000000.lock.sqlite"
    locks.mkdir(mode=0o700, exist_ok=True)
    for lock in (*own, others):
        lock.touch()
    if uid is not None:
        os.chown(locks, uid, uid)

    await runtime.delete(spec.instance)

    assert not any(lock.exists() for lock in own)
    assert others.exists()
    others.unlink()
    if uid is not None:
        locks.rmdir()


@as_root
async def test_a_link_in_place_of_the_workspace_leads_nobody_out_of_the_volume(
    runtime: LocalRuntime, folder: Path
) -> None:
    spec = some_spec()
    await runtime.ensure(spec)
    await runtime.stop(spec.instance)
    place = Place(folder / "instances", spec.instance)
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("of the machine")
    place.workspace.rename(place.home / "moved")
    place.workspace.symlink_to(outside)
    (place.home / "link").symlink_to(outside / "secret")
    os.link(outside / "secret", place.home / "hard")

    with pytest.raises(RuntimeFailure):
        await runtime.ensure(spec)
    with pytest.raises(RuntimeFailure):
        await runtime.write_files(replace(spec, files={"AGENTS.md": "y"}, revision=2))
    for path in ("workspace/secret", "link", "hard", "../record.json", "/etc/passwd"):
        with pytest.raises(NotFound):
            _ = [chunk async for chunk in runtime.read_file(spec.instance, path)]

    assert outside.stat().st_uid == 0
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert await anext(runtime.read_file(spec.instance, "moved/AGENTS.md")) == b"x"


@as_root
async def test_a_user_is_not_given_to_the_next_instance_at_once_and_not_to_two(folder: Path) -> None:
    instances = folder / "instances"
    first = Place(instances, InstanceId(new_id()))
    first.create()
    gone, kept = new_uid(instances), new_uid(instances)
    first.write(Record(uid=kept))
    (instances / ".last-uid").write_text(str((kept or 0) - 1))

    assert len({gone, kept, new_uid(instances)}) == 3
