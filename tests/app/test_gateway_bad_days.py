"""Disconnects, kills, an absent database, a full disk: no answered call is lost, none is counted twice."""

import asyncio
import resource
from collections import Counter
from pathlib import Path

import httpx
import openai
import pytest

from kontor.billing.metering.journal import backlog
from kontor.billing.queries import differences
from kontor.core.embedded.postgres import EmbeddedPostgres
from kontor.core.migrate import migrate_async
from support.databases import roles_of
from support.eventually import eventually
from support.gateway import GatewayRig, chat
from support.places import open_folder
from support.processes import ModelControl, Process


async def adds_up(rig: GatewayRig) -> bool:
    async with rig.database.system_uow() as tx:
        return await differences(tx) == []


async def test_a_stream_that_the_provider_cuts_is_an_error_and_recorded_as_an_estimate(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, disconnect_after=5)
    stream = await rig.client().chat.completions.create(**chat(f"Zähle bis 50 {marker}"), stream=True)

    with pytest.raises(openai.APIError, match="unterbrochen"):
        _ = [chunk async for chunk in stream]

    [event] = await rig.events()
    assert (event["outcome"], event["source"]) == ("cut", "estimated")
    assert event["input_tokens"] > 0
    assert event["output_tokens"] > 0


async def test_a_provider_that_leaves_out_usage_is_estimated(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    for is_stream in (True, False):
        model.behave(match=marker, omit_usage=True)
        await rig.post(chat(f"Zähle bis 50 {marker}", stream=is_stream))

    events = await rig.events()

    assert [(event["outcome"], event["source"]) for event in events] == [("answered", "estimated")] * 2
    assert all(event["output_tokens"] > 20 for event in events)
    [hour] = await rig.of_tenant("usage_hourly")
    assert hour["estimated_events"] == 2


async def test_a_caller_that_goes_away_is_charged_what_the_provider_reports(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, chunk_delay_ms=5)
    stream = await rig.client().chat.completions.create(**chat(f"Zähle bis 60 {marker}"), stream=True)
    await anext(aiter(stream))

    await stream.close()

    [event] = await eventually(rig.events)
    assert (event["outcome"], event["source"]) == ("disconnected", "reported")
    assert event["output_tokens"] == model.counts(marker)["output_tokens"] == 60


async def test_every_answered_call_is_recorded_once_though_the_gateway_is_killed_under_load(
    own_rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    answered: Counter[str] = Counter()

    async def load(until: asyncio.Event) -> None:
        async with httpx.AsyncClient(timeout=10) as http:
            while not until.is_set():
                try:
                    answer = await http.post(
                        f"{own_rig.gateway.url}/v1/chat/completions",
                        json=chat(f"Zähle bis 3 {marker}"),
                        headers={"authorization": f"Bearer {own_rig.assistant.secret}"},
                    )
                    answered[answer.headers["x-request-id"]] += 1
                except httpx.TransportError:
                    await asyncio.sleep(0.02)

    for _ in range(3):
        until = asyncio.Event()
        so_far = answered.total()
        callers = [asyncio.create_task(load(until)) for _ in range(8)]

        async def has_load(so_far: int = so_far) -> bool:
            return answered.total() >= so_far + 150

        await eventually(has_load, within_s=30)
        own_rig.gateway.kill()
        until.set()
        await asyncio.gather(*callers)
        own_rig.gateway = own_rig.start_gateway()

    events = await own_rig.events()

    recorded = {str(event["id"]) for event in events}
    assert set(answered) <= recorded
    assert set(answered.values()) == {1}
    beyond = [event for event in events if str(event["id"]) not in answered]
    assert len(beyond) <= 3 * 8  # calls under way at the kills, each at most once
    assert {event["outcome"] for event in beyond} <= {"lost", "answered"}
    assert len(events) <= model.counts(marker)["requests"] + 3 * 8
    assert await adds_up(own_rig)


async def test_two_gateways_on_one_journal_record_each_call_once(own_rig: GatewayRig) -> None:
    second = own_rig.start_gateway()
    headers = {"authorization": f"Bearer {own_rig.assistant.secret}"}

    async with httpx.AsyncClient(timeout=30) as http:
        urls = [f"{url}/v1/chat/completions" for url in (own_rig.gateway.url, second.url)] * 50
        posts = [http.post(url, json=chat("Zähle bis 2"), headers=headers) for url in urls]
        answers = await asyncio.gather(*posts)
    second.kill()

    events = await own_rig.events()
    assert {str(event["id"]) for event in events} == {answer.headers["x-request-id"] for answer in answers}
    assert len(events) == 100
    assert await adds_up(own_rig)


async def test_a_graceful_stop_lets_a_stream_finish_and_leaves_an_empty_journal(
    own_rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, chunk_delay_ms=20)
    stream = await own_rig.client().chat.completions.create(**chat(f"Zähle bis 50 {marker}"), stream=True)
    first = await anext(aiter(stream))

    stopping = asyncio.create_task(asyncio.to_thread(own_rig.gateway.stop))
    chunks = [first, *[chunk async for chunk in stream]]
    await stopping

    assert "".join(c.choices[0].delta.content or "" for c in chunks) == " ".join(map(str, range(1, 51)))
    assert list(own_rig.journal.iterdir()) == []
    [event] = await own_rig.events()
    assert (event["outcome"], event["output_tokens"]) == ("answered", 50)


async def test_calls_go_on_and_are_recorded_later_while_postgres_is_away(own_rig: GatewayRig) -> None:
    assert (await own_rig.post(chat("Zähle bis 2"))).status_code == 200
    assert len(await own_rig.events()) == 1
    async with own_rig.without_postgres():
        answers = [await own_rig.post(chat("Zähle bis 2")) for _ in range(20)]
        unknown = await own_rig.post(chat("Hallo"), secret="kgw_" + "b" * 43)
        assert backlog(own_rig.journal) == 20

    assert {answer.status_code for answer in answers} == {200}
    assert (unknown.status_code, unknown.json()["code"]) == (503, "gateway.unavailable")
    assert len(await own_rig.events()) == 21
    assert await adds_up(own_rig)


async def test_a_full_disk_refuses_a_call_before_it_costs_anything(
    own_rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    """A file size limit stands for the full disk: the journal cannot allocate a segment."""
    before = resource.prlimit(own_rig.gateway.pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))

    answer = await own_rig.post(chat(marker))

    assert answer.status_code == 200
    assert "später" in answer.json()["choices"][0]["message"]["content"]
    assert model.counts(marker) == {}
    async with httpx.AsyncClient() as http:
        ready = await http.get(f"{own_rig.gateway.url}/readyz")
        metrics = (await http.get(f"{own_rig.gateway.url}/metrics")).text
    assert ready.status_code == 503
    assert "kontor_gateway_journal_full 1.0" in metrics
    assert "journal.full" in own_rig.gateway.log

    resource.prlimit(own_rig.gateway.pid, resource.RLIMIT_FSIZE, before)
    assert (await own_rig.post(chat(f"Zähle bis 2 {marker}"))).json()["choices"][0]["message"]["content"] == "1 2"
    assert len(await own_rig.events()) == 1


async def test_postgres_may_be_restarted_under_load(
    model_process: Process, model: ModelControl, marker: str, tmp_path: Path
) -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, durable=False)
        urls = roles_of(await asyncio.to_thread(server.start))
        await migrate_async(urls)
        rig = GatewayRig(urls, model_process.url, tmp_path)
        try:
            await rig.open()
            answers = await asyncio.gather(*[rig.post(chat(f"Zähle bis 2 {marker}")) for _ in range(20)])
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            while not stopping.done():
                answers.append(await rig.post(chat(f"Zähle bis 2 {marker}")))
            answers += await asyncio.gather(*[rig.post(chat(f"Zähle bis 2 {marker}")) for _ in range(20)])
            await asyncio.to_thread(server.start)

            events = await rig.events()

            assert {answer.status_code for answer in answers} == {200}
            assert {str(event["id"]) for event in events} == {answer.headers["x-request-id"] for answer in answers}
            assert len(events) == model.counts(marker)["requests"]
            assert await adds_up(rig)
        finally:
            await rig.close()
            await asyncio.to_thread(server.stop)
