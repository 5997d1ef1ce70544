"""The transcripts of the real assistant, running and stopped. The schema is its own: this test pins it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from kontor.app.model.server import application
from kontor.core.ids import InstanceId, new_id
from kontor.core.settings import default_cache_dir
from kontor.tenants.leaving import redact, transcripts
from kontor.tenants.leaving.volume import Volume
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.spec import RELEASE, InstanceSpec
from kontor.tenants.provisioning.talk import Delta, http_client, turn
from support.eventually import eventually
from support.places import open_folder
from support.serving import served

pytestmark = [pytest.mark.xdist_group("openclaw"), pytest.mark.openclaw]

READY_S = 90.0
CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The built-in model, in the gateway's place."""
    with served(application()) as url:
        yield url


@pytest.fixture
async def runtime() -> AsyncIterator[LocalRuntime]:
    with open_folder() as folder:
        made = LocalRuntime(folder / "instances", CACHE)
        yield made
        await made.close()
        stop_all(folder / "instances")


async def test_what_was_said_is_read_beside_the_running_assistant_and_after_its_end(
    runtime: LocalRuntime, model: str, tmp_path: Path
) -> None:
    spec = InstanceSpec(
        instance=InstanceId(new_id()),
        release=RELEASE,
        revision=1,
        files={"AGENTS.md": "Du bist Ada. Wir öffnen um 7 Uhr."},
        memory_mb=900,
        gateway_url=model,
        token="token-of-this-instance",
        gateway_key="kgw_of-this-instance",
    )
    await runtime.ensure(spec)
    endpoint = await ready(runtime, spec)
    long = "Sehr geehrte Damen und Herren, " + "ich hätte da eine längere Frage. " * 2_000
    for conversation, text in (("c1", "Mein Name ist Jürgen 🦊"), ("c1", "Wie heiße ich?"), ("c2", long)):
        await ask(endpoint, spec, conversation, text)
    volume = Volume(runtime, spec.instance)

    running = await read(volume, tmp_path / "running")
    saying = asyncio.create_task(ask(endpoint, spec, "c3", "Noch etwas"))
    beside = [await read(volume, tmp_path / f"beside{number}") for number in range(5)]
    await saying
    await runtime.stop(spec.instance)
    stopped = await read(volume, tmp_path / "stopped")

    for seen in (running, *beside, stopped):
        assert said(seen, "c1")[0] == ("user", "Mein Name ist Jürgen 🦊")
        assert [role for role, _ in said(seen, "c1")] == ["user", "assistant", "user", "assistant"]
        assert "Jürgen" in said(seen, "c1")[3][1]
        assert said(seen, "c2")[0] == ("user", long.strip())
    assert said(stopped, "c3")[0] == ("user", "Noch etwas")
    config = await volume.configuration()
    assert config is not None
    assert '"token": "${OPENCLAW_GATEWAY_TOKEN}"' in redact.configuration((spec.token, spec.gateway_key), config)
    assert list(await volume.workspace()) == ["AGENTS.md"]


async def ready(runtime: LocalRuntime, spec: InstanceSpec) -> str:
    async def look() -> str | None:
        seen = await runtime.observe(spec.instance)
        assert seen.state in {Observed.STARTING, Observed.READY}, seen
        return seen.endpoint if seen.state is Observed.READY else None

    return await eventually(look, within_s=READY_S, what="readiness")


async def ask(endpoint: str, spec: InstanceSpec, conversation: str, text: str) -> str:
    async with http_client() as client:
        parts = turn(client, endpoint=endpoint, token=spec.token, conversation=conversation, text=text)
        return "".join([part.text async for part in parts if isinstance(part, Delta)])


async def read(volume: Volume, folder: Path) -> list[dict[str, object]]:
    await asyncio.to_thread(folder.mkdir)
    copy = await volume.copy_database(folder)
    assert copy is not None
    found: list[dict[str, object]] = orjson.loads("".join(transcripts.pieces(copy)))
    return found


def said(sessions: list[dict[str, object]], conversation: str) -> list[tuple[str, str]]:
    """Role and text of the messages of one conversation."""
    [session] = [one for one in sessions if str(one["key"]).endswith(f":{conversation}")]
    messages = []
    for event in session["events"]:  # type: ignore[attr-defined]
        if event.get("type") == "message":
            content = event["message"]["content"]
            text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
            messages.append((event["message"]["role"], text.strip()))
    return messages
