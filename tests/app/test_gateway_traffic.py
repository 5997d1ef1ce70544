"""Generated traffic: what the model counted, what was recorded and what was summed are the same numbers."""

import asyncio
from uuid import uuid4

import openai
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from kontor.billing.queries import differences, total, usage_by_day
from kontor.core.clock import Month
from support.gateway import GatewayRig, chat
from support.processes import ModelControl, Process

WAYS = st.fixed_dictionaries(
    {
        "is_stream": st.booleans(),
        "numbers": st.integers(1, 40),
        "how": st.sampled_from(["well", "well", "omit", "cut", "fail once", "leave"]),
    }
)
BEHAVIOURS = {
    "omit": {"omit_usage": True},
    "cut": {"disconnect_after": 1},
    "fail once": {"status": 503},
    "leave": {"chunk_delay_ms": 3},
}


async def ask(client: AsyncOpenAI, model: ModelControl, marker: str, way: dict[str, object]) -> None:
    if behaviour := BEHAVIOURS.get(str(way["how"])):
        await asyncio.to_thread(model.behave, match=marker, **behaviour)
    request = chat(f"Zähle bis {way['numbers']} {marker}")
    try:
        if not way["is_stream"]:
            await client.chat.completions.create(**request)
            return
        stream = await client.chat.completions.create(**request, stream=True)
        async for _ in stream:
            if way["how"] == "leave":
                await stream.close()
                return
    except openai.APIError:
        assert way["how"] == "cut"


@given(traffic=st.lists(WAYS, min_size=1, max_size=8))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_events_sums_and_the_models_own_count_agree(
    shared_gateway: GatewayRig, model_process: Process, model: ModelControl, traffic: list[dict[str, object]]
) -> None:
    async def play() -> None:
        rig = GatewayRig(shared_gateway.urls, model_process.url, shared_gateway.folder, shared_gateway.gateway)
        await rig.open()
        try:
            prefix = f"marker-{uuid4().hex}"
            markers = [f"{prefix}-{number}" for number in range(len(traffic))]
            client = rig.client()
            async with asyncio.TaskGroup() as callers:
                for marker, way in zip(markers, traffic, strict=True):
                    callers.create_task(ask(client, model, marker, way))

            events = await rig.events()

            counts = [model.counts(marker) for marker in markers]
            answered = [event for event in events if event["source"] == "reported" and event["outcome"] != "refused"]
            assert len(events) == sum(count["requests"] for count in counts)
            assert len(answered) == sum(count["reported"] for count in counts)
            for ours, theirs in (
                ("input_tokens", "reported_input_tokens"),
                ("output_tokens", "reported_output_tokens"),
            ):
                assert sum(event[ours] for event in answered) == sum(count[theirs] for count in counts)
            async with rig.database.system_uow() as tx:
                assert await differences(tx) == []
            async with rig.database.uow(rig.assistant.tenant) as tx:
                start, end = Month(2020, 1).start, Month(2100, 1).start
                used = total(await usage_by_day(tx, rig.assistant.tenant, start, end))
            assert used.calls == len(events)
            assert used.cost_nano == sum(event["cost_nano"] for event in events)
            assert used.output_tokens == sum(event["output_tokens"] for event in events)
        finally:
            await rig.close()

    asyncio.run(play())
