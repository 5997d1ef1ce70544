"""A chat through the gateway process to the built-in model: the answer comes through, and one event is recorded."""

from kontor.core.ids import TenantId
from support.gateway import GatewayRig, chat
from support.processes import ModelControl


async def test_an_answer_comes_through_and_is_recorded_once(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    client = rig.client()

    answer = await client.chat.completions.create(**chat(f"Zähle bis 20 {marker}"))

    assert answer.choices[0].message.content == " ".join(map(str, range(1, 21)))
    [event] = await rig.events()
    counted = model.counts(marker)
    assert (event["tenant_id"], event["instance_id"]) == (rig.assistant.tenant, rig.assistant.instance)
    assert (event["model_asked"], event["model"], event["provider"]) == ("assistant", "kontor-demo", "builtin")
    assert (event["input_tokens"], event["output_tokens"]) == (counted["input_tokens"], counted["output_tokens"])
    assert (event["source"], event["outcome"]) == ("reported", "answered")
    assert event["cost_nano"] == event["input_tokens"] * 150 + event["output_tokens"] * 600


async def test_a_stream_comes_through_chunk_by_chunk_without_the_usage_that_nobody_asked_for(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    stream = await rig.client().chat.completions.create(**chat(f"Zähle bis 20 {marker}"), stream=True)

    chunks = [chunk async for chunk in stream]

    assert "".join(c.choices[0].delta.content or "" for c in chunks) == " ".join(map(str, range(1, 21)))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    [event] = await rig.events()
    assert event["output_tokens"] == model.counts(marker)["output_tokens"]
    assert event["source"] == "reported"
    assert event["first_token_ms"] is not None


async def test_a_caller_that_asks_for_usage_gets_its_chunk(rig: GatewayRig) -> None:
    stream = await rig.client().chat.completions.create(
        **chat("Zähle bis 5"), stream=True, stream_options={"include_usage": True}
    )

    chunks = [chunk async for chunk in stream]

    [event] = await rig.events()
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == event["output_tokens"]


async def test_the_hourly_sums_are_those_of_the_events(rig: GatewayRig) -> None:
    for number in range(1, 6):
        await rig.client().chat.completions.create(**chat(f"Zähle bis {number}"))

    events = await rig.events()

    [hour] = await rig.of_tenant("usage_hourly")
    assert TenantId(hour["tenant_id"]) == rig.assistant.tenant
    assert hour["events"] == 5
    for column in ("input_tokens", "output_tokens", "cost_nano"):
        assert hour[column] == sum(event[column] for event in events)
