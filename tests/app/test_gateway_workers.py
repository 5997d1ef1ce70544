"""Several workers behind one port, and files that change while the gateway runs."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from support.eventually import eventually
from support.gateway import GatewayRig, chat
from support.processes import ModelControl


def workers_of(pid: int) -> list[psutil.Process]:
    """The children that serve."""
    alive = [one for one in psutil.Process(pid).children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in alive if "spawn_main" in " ".join(one.cmdline())]


async def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(own_rig: GatewayRig) -> None:
    own_rig.gateway = own_rig.start_gateway(KONTOR_GATEWAY_WORKERS="2")
    asked = 0

    async def have_two() -> bool:
        return len(workers_of(own_rig.gateway.pid)) == 2

    await eventually(have_two, within_s=20)
    for _ in range(10):
        asked += (await own_rig.post(chat("Zähle bis 3"))).status_code == 200
    [victim, other] = workers_of(own_rig.gateway.pid)
    victim.kill()

    async def is_replaced() -> bool:
        now = {one.pid for one in workers_of(own_rig.gateway.pid)}
        return len(now) == 2 and victim.pid not in now

    await eventually(is_replaced, within_s=30)
    for _ in range(5):
        asked += (await own_rig.post(chat("Zähle bis 3"))).status_code == 200
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"{own_rig.gateway.url}/metrics")).text

    assert asked == 15
    assert len(await own_rig.events()) == 15
    assert 'kontor_gateway_calls_total{outcome="answered",provider="builtin"} 15.0' in metrics
    assert other.is_running()


async def test_workers_end_with_a_parent_that_is_killed(own_rig: GatewayRig) -> None:
    gateway = own_rig.start_gateway(KONTOR_GATEWAY_WORKERS="2")

    async def have_two() -> bool:
        return len(workers_of(gateway.pid)) == 2

    await eventually(have_two, within_s=20)
    workers = workers_of(gateway.pid)

    gateway.kill()

    async def are_gone() -> bool:
        return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in workers)

    await eventually(are_gone, within_s=20)


async def test_a_stream_ends_before_the_process_does(own_rig: GatewayRig, model: ModelControl, marker: str) -> None:
    model.behave(match=marker, chunk_delay_ms=100)
    stream = await own_rig.client().chat.completions.create(**chat(f"Zähle bis 12 {marker}"), stream=True)
    first = await anext(aiter(stream))

    os.kill(own_rig.gateway.pid, signal.SIGTERM)
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    assert first.choices
    assert said == "1 2 3 4 5 6 7 8 9 10 11 12"
    await asyncio.to_thread(own_rig.gateway.stop)
    [event] = await own_rig.events()
    assert (event["outcome"], event["source"]) == ("answered", "reported")


async def test_a_changed_catalogue_is_used_without_a_restart_and_a_broken_one_is_not(
    own_rig: GatewayRig, tmp_path: Path, model: ModelControl
) -> None:
    file = tmp_path / "models.toml"
    provider = f'[providers.builtin]\nbase_url = "{model.url}/v1"\n'
    one = '[models.{}]\ndeployments = [{{ provider = "builtin", model = "kontor-demo" }}]\n'
    file.write_text(provider + one.format("assistant"))
    gateway = own_rig.start_gateway(KONTOR_MODELS_FILE=str(file))
    headers = {"authorization": f"Bearer {own_rig.assistant.secret}"}

    async with httpx.AsyncClient(headers=headers) as http:

        async def names() -> list[str]:
            return [each["id"] for each in (await http.get(f"{gateway.url}/v1/models")).json()["data"]]

        assert await names() == ["assistant"]
        file.write_text(provider + one.format("assistant") + one.format("second"))

        async def has_both() -> bool:
            return await names() == ["assistant", "second"]

        await eventually(has_both, within_s=10)
        file.write_text("[models.broken")

        async def is_told() -> bool:
            return "kontor_gateway_config_broken 1.0" in (await http.get(f"{gateway.url}/metrics")).text

        await eventually(is_told, within_s=10)
        assert await names() == ["assistant", "second"]
        assert "gateway.config_broken" in gateway.log


def test_a_worker_loads_no_orm() -> None:
    code = "import sys, kontor.app.gateway; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_worker_may_have_as_many_connections_open_as_the_system_allows(own_rig: GatewayRig) -> None:
    soft, hard = psutil.Process(own_rig.gateway.pid).rlimit(psutil.RLIMIT_NOFILE)

    assert soft == hard
