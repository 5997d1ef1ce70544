"""One contract for all runtimes: the fake and the real OpenClaw keep the same rules."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from kontor.app.model.server import application
from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId, new_id
from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning import install
from kontor.tenants.provisioning.fake import FakeRuntime
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.local.record import FIRST_UID, Place, Record
from kontor.tenants.provisioning.openclaw_config import workspace_files
from kontor.tenants.provisioning.runtime import Observed, Runtime, RuntimeFailure
from kontor.tenants.provisioning.spec import RELEASE, InstanceSpec
from kontor.tenants.provisioning.talk import Delta, End, Tokens, http_client, turn
from support.eventually import eventually, eventually_sync
from support.places import open_folder
from support.processes import CONTROL_TOKEN, ModelControl
from support.serving import served

pytestmark = pytest.mark.xdist_group("openclaw")

READY_S = 90.0
CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The built-in model, in the gateway's place."""
    with served(application()) as url:
        yield url


@pytest.fixture
def controlled() -> Iterator[ModelControl]:
    """The same with its controls."""
    with served(application(CONTROL_TOKEN)) as url:
        yield ModelControl(url)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made
        stop_all(made / "instances")


@pytest.fixture(params=["fake", pytest.param("local", marks=pytest.mark.openclaw)])
async def runtime(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Runtime]:
    made: Any = FakeRuntime() if request.param == "fake" else LocalRuntime(folder / "instances", CACHE)
    yield made
    await made.close()


def spec_for(model: str, **changes: object) -> InstanceSpec:
    files = workspace_files(
        display_name="Ada",
        company="Bäckerei Müller",
        operator="Betrieb GmbH",
        language="de",
        system_prompt="Wir öffnen um 7 Uhr.",
    )
    spec = InstanceSpec(
        instance=InstanceId(new_id()),
        release=RELEASE,
        revision=1,
        files=files,
        memory_mb=900,
        gateway_url=model,
        token="token-of-this-instance",
        gateway_key="kgw_of-this-instance",
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


async def ready(runtime: Runtime, instance: InstanceId) -> str:
    async def look() -> str | None:
        seen = await runtime.observe(instance)
        assert seen.state in {Observed.STARTING, Observed.READY}, seen
        return seen.endpoint if seen.state is Observed.READY else None

    return await eventually(look, within_s=READY_S, what="readiness")


async def ask(endpoint: str, spec: InstanceSpec, text: str, conversation: str = "c1") -> tuple[str, Tokens]:
    async with http_client() as client:
        parts = [
            part
            async for part in turn(client, endpoint=endpoint, token=spec.token, conversation=conversation, text=text)
        ]
    tokens = [part for part in parts if isinstance(part, Tokens)]
    assert any(isinstance(part, End) for part in parts)
    return "".join(part.text for part in parts if isinstance(part, Delta)), tokens[-1]


async def status_with(endpoint: str, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{endpoint}/v1/chat/completions",
            json={"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]},
            headers={"authorization": f"Bearer {token}"},
        )
    return answer.status_code


async def test_an_instance_lives_from_start_to_deletion(runtime: Runtime, model: str) -> None:
    spec = spec_for(model)
    assert (await runtime.observe(spec.instance)).state is Observed.ABSENT

    await runtime.ensure(spec)
    await runtime.ensure(spec)
    endpoint = await ready(runtime, spec.instance)

    assert await status_with(endpoint, token="another") == 401
    assert list(await runtime.observe_all()) == [spec.instance]
    first, tokens = await ask(endpoint, spec, "Mein Name ist Jürgen.")
    second, _ = await ask(endpoint, spec, "Wie heiße ich?")
    other, _ = await ask(endpoint, spec, "Wie heiße ich?", conversation="c2")
    assert first
    assert "Jürgen" in second
    assert "Jürgen" not in other
    assert tokens.input_tokens > 0
    assert tokens.output_tokens > 0

    later = spec.files["AGENTS.md"].replace("um 7 Uhr", "erst um neun Uhr dreißig")
    spec = replace(spec, files=spec.files | {"AGENTS.md": later}, revision=2)
    await runtime.write_files(spec)
    before, _ = await ask(endpoint, spec, "Wann öffnen Sie?", conversation="c3")
    assert "neun Uhr" in before or before.startswith("[")

    await runtime.stop(spec.instance)
    await runtime.stop(spec.instance)
    assert (await runtime.observe(spec.instance)).state is Observed.STOPPED
    assert "workspace/AGENTS.md" in await runtime.list_files(spec.instance)
    content = b"".join([chunk async for chunk in runtime.read_file(spec.instance, "workspace/AGENTS.md")])
    assert "Bäckerei Müller" in content.decode()
    with pytest.raises(NotFound):
        _ = [chunk async for chunk in runtime.read_file(spec.instance, "../record.json")]

    await runtime.ensure(replace(spec, revision=3))
    endpoint = await ready(runtime, spec.instance)
    remembered, _ = await ask(endpoint, spec, "Wie heiße ich?")
    assert "Jürgen" in remembered

    await runtime.delete(spec.instance)
    await runtime.delete(spec.instance)
    assert (await runtime.observe(spec.instance)).state is Observed.ABSENT
    assert await runtime.observe_all() == {}


async def test_another_dialect_is_spoken_without_a_new_start_and_nothing_is_forgotten(
    runtime: Runtime, controlled: ModelControl
) -> None:
    spec = spec_for(controlled.url)
    await runtime.ensure(spec)
    endpoint = await ready(runtime, spec.instance)
    await ask(endpoint, spec, "Mein Name ist Jürgen.")

    await runtime.write_files(replace(spec, dialect="messages", revision=2))

    async def has_changed() -> str | None:
        said, _ = await ask(endpoint, spec, f"Wie heiße ich? {new_id()}")
        asked = [request["path"] for request in controlled.requests("Wie hei", last=1)]
        return said if asked in ([], ["/v1/messages"]) else None  # the fake asks no model

    assert "Jürgen" in await eventually(has_changed, within_s=30, what="it speaks the other dialect")
    assert (await runtime.observe(spec.instance)).endpoint == endpoint


async def test_files_of_an_unknown_instance_are_refused(runtime: Runtime, model: str) -> None:
    with pytest.raises(RuntimeFailure):
        await runtime.write_files(spec_for(model))


@pytest.mark.openclaw
async def test_a_process_leaves_a_taken_port_is_hardened_adopted_alone_on_its_state_and_restarted(
    folder: Path, model: str
) -> None:
    spec = spec_for(model)
    place = Place(folder / "instances", spec.instance)
    first = LocalRuntime(folder / "instances", CACHE)
    with listening() as taken, secret_in_our_environment():
        place.create()
        place.write(Record(uid=FIRST_UID if os.geteuid() == 0 else None, port=taken))
        await first.ensure(spec)
        endpoint = await ready(first, spec.instance)
    assert endpoint != f"http://127.0.0.1:{taken}"
    record = place.read()
    assert record is not None
    assert record.pid is not None
    process = psutil.Process(record.pid)
    is_hardened(process, place, record)

    second = LocalRuntime(folder / "instances", CACHE)
    assert (await second.observe(spec.instance)).state is Observed.READY
    await second.ensure(spec)
    assert place.read() == record

    # The record forgets the process, as after a restore of an old folder: another one is started beside it.
    place.write(replace(record, pid=None, started_at_s=None))
    await second.ensure(spec)

    async def failed() -> str | None:
        seen = await second.observe(spec.instance)
        return seen.code if seen.state is Observed.FAILED else None

    assert await eventually(failed, within_s=READY_S) == "exit_78"
    place.write(record)
    assert (await second.observe(spec.instance)).state is Observed.READY

    process.send_signal(signal.SIGKILL)
    first._children[spec.instance].wait(timeout=10)
    seen = await second.observe(spec.instance)
    assert (seen.state, seen.code) == (Observed.FAILED, "crashed")
    assert not psutil.pid_exists(record.pid)
    await second.ensure(spec)
    await ready(second, spec.instance)
    await second.delete(spec.instance)
    assert not place.root.exists()
    await first.close()
    await second.close()


@contextmanager
def listening() -> Iterator[int]:
    """Somebody else's port."""
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        yield owner.getsockname()[1]


@contextmanager
def secret_in_our_environment() -> Iterator[None]:
    os.environ["OPENAI_API_KEY"] = "a-secret-of-the-control-plane"
    try:
        yield
    finally:
        del os.environ["OPENAI_API_KEY"]


def is_hardened(process: psutil.Process, place: Place, record: Record) -> None:
    """Its folder is its own, it knows nothing of ours, and as root's child it is nobody."""
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    assert "a-secret-of-the-control-plane" not in Path(f"/proc/{process.pid}/environ").read_text()
    if os.geteuid() == 0:
        assert process.uids().real == record.uid == place.home.stat().st_uid != 0
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status


@pytest.mark.openclaw
async def test_a_process_outlives_the_control_plane_that_started_it(folder: Path, model: str) -> None:
    instance = InstanceId(new_id())
    code = f"""
import asyncio
from pathlib import Path
from uuid import UUID
from kontor.tenants.provisioning.local import LocalRuntime
from kontor.tenants.provisioning.spec import InstanceSpec
spec = InstanceSpec(UUID("{instance}"), "{RELEASE}", 1, {{"AGENTS.md": "x"}}, 900, "{model}", "t", "k")
async def main():
    await LocalRuntime(Path("{folder}/instances"), Path("{CACHE}")).ensure(spec)
    print("started", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"started\n"
    starter.kill()
    starter.wait()
    starter.stdout.close()

    adopted = LocalRuntime(folder / "instances", CACHE)

    await ready(adopted, instance)
    assert stop_all(folder / "instances") == 1
    assert (await adopted.observe(instance)).state is Observed.STOPPED
    await adopted.close()


async def test_a_missing_installation_says_which_command_makes_one(folder: Path, model: str) -> None:
    runtime = LocalRuntime(folder / "instances", folder / "empty-cache")

    with pytest.raises(RuntimeFailure) as refused:
        await runtime.ensure(spec_for(model))

    assert refused.value.code == "install_missing"
    assert install.COMMAND in (refused.value.detail or "")
    await runtime.close()


def test_a_full_disk_is_told_and_nothing_is_left_half_written(folder: Path) -> None:
    code = f"""
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import asyncio
from uuid import uuid4
from kontor.tenants.provisioning.local import LocalRuntime
from kontor.tenants.provisioning.runtime import RuntimeFailure
from kontor.tenants.provisioning.spec import InstanceSpec
async def main():
    spec = InstanceSpec(uuid4(), "{RELEASE}", 1, {{"AGENTS.md": "x"}}, 900, "http://127.0.0.1:9", "t", "k")
    try:
        await LocalRuntime(Path("{folder}/instances"), Path("{CACHE}")).ensure(spec)
    except RuntimeFailure as failure:
        sys.exit(0 if failure.code == "disk_full" else failure.code)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    eventually_sync(lambda: not list((folder / "instances").glob("*/record.json")))
