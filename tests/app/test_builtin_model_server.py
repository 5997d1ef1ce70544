"""The built-in model over HTTP, with OpenAI's own client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from kontor.app.model.server import application
from kontor.app.model.tokens import PER_IMAGE, count, count_messages
from support.processes import CONTROL_TOKEN, ModelControl
from support.shapes import in_shape

WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ASKS_TWICE = 'Wetter? [tool weather {"city": "Ulm"}] [tool weather {"city": "Bonn"}]'


@pytest.fixture
async def client(model: ModelControl) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{model.url}/v1", api_key="test", max_retries=0) as made:
        yield made


async def test_it_counts_what_it_says(client: AsyncOpenAI, model: ModelControl, marker: str) -> None:
    question = f"Zähle bis 7 {marker}"

    answer = await client.chat.completions.create(model="any", messages=[{"role": "user", "content": question}])

    assert answer.choices[0].message.content == "1 2 3 4 5 6 7"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (count_messages([question]), 7)
    counts = model.counts(marker)
    assert (counts["requests"], counts["answered"], counts["output_tokens"]) == (1, 1, 7)


async def test_a_stream_tells_usage_only_when_asked(client: AsyncOpenAI, model: ModelControl, marker: str) -> None:
    messages = [{"role": "user", "content": f"Zähle bis 7 {marker}"}]

    without = [c async for c in await client.chat.completions.create(model="m", messages=messages, stream=True)]
    with_usage = [
        c
        async for c in await client.chat.completions.create(
            model="m", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    ]

    assert all(chunk.usage is None for chunk in without)
    assert with_usage[-1].usage is not None
    assert with_usage[-1].usage.completion_tokens == 7
    assert model.counts(marker)["reported"] == 1


async def test_an_answer_longer_than_allowed_is_cut_at_its_tokens(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Zähle bis 9"}], max_completion_tokens=3
    )

    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("1 2 3", "length")


async def test_tools_are_called_in_parallel_and_their_results_told(client: AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": ASKS_TWICE}]

    answer = in_shape(await client.chat.completions.create(model="m", messages=messages, tools=[WEATHER]))
    calls: Any = answer.choices[0].message.tool_calls
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{number} °C"} for number, call in enumerate(calls)
    ]
    after = await client.chat.completions.create(
        model="m", messages=[*messages, answer.choices[0].message, *results], tools=[WEATHER]
    )

    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("tool_calls", None)
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", '{"city": "Ulm"}'),
        ("weather", '{"city": "Bonn"}'),
    ]
    assert len({call.id for call in calls}) == 2
    assert after.choices[0].message.content == "Das Werkzeug meldet: 0 °C\n1 °C"


@pytest.mark.parametrize(("forbids", "called"), [({"tool_choice": "none"}, 0), ({"parallel_tool_calls": False}, 1)])
async def test_a_request_may_forbid_tools_or_several_at_once(
    client: AsyncOpenAI, forbids: dict[str, Any], called: int
) -> None:
    messages: Any = [{"role": "user", "content": ASKS_TWICE}]

    answer = await client.chat.completions.create(model="m", messages=messages, tools=[WEATHER], **forbids)

    assert len(answer.choices[0].message.tool_calls or []) == called


async def test_a_stream_has_the_arguments_of_calls_piece_by_piece(client: AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": ASKS_TWICE}]

    stream = await client.chat.completions.create(
        model="m", messages=messages, tools=[WEATHER], stream=True, stream_options={"include_usage": True}
    )
    chunks = [in_shape(chunk) async for chunk in stream]

    deltas = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
    heads = [delta for delta in deltas if delta.id]
    assert [(head.index, head.function and head.function.name) for head in heads] == [(0, "weather"), (1, "weather")]
    for index, arguments in enumerate(['{"city": "Ulm"}', '{"city": "Bonn"}']):
        given = [delta.function.arguments or "" for delta in deltas if delta.index == index and delta.function]
        assert "".join(given) == arguments
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == count('{"city": "Ulm"}{"city": "Bonn"}')


async def test_an_image_costs_a_fixed_number_of_tokens_and_is_named(client: AsyncOpenAI) -> None:
    parts: Any = [{"type": "text", "text": "Hallo"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]

    answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])

    assert answer.choices[0].message.content == "Guten Tag! Wie kann ich Ihnen helfen? (1 Bild)"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == count_messages(["Hallo"]) + PER_IMAGE


async def test_it_fails_breaks_off_and_omits_usage_when_told_to(
    client: AsyncOpenAI, model: ModelControl, marker: str
) -> None:
    messages = [{"role": "user", "content": f"Zähle bis 9 {marker}"}]
    model.behave(match=marker, status=529)
    model.behave(match=marker, disconnect_after=3)
    model.behave(match=marker, omit_usage=True)

    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="m", messages=messages)
    stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
    with pytest.raises(openai.APIConnectionError):
        _ = [chunk async for chunk in stream]
    silent = await client.chat.completions.create(model="m", messages=messages)

    assert silent.usage is None
    counts = model.counts(marker)
    assert (counts["requests"], counts["failed"], counts["cut"], counts["answered"]) == (3, 1, 1, 1)
    assert counts["output_tokens"] == 3 + 9


@pytest.mark.parametrize("control", ["counts", "requests"])
async def test_the_controls_are_closed_without_the_token(model: ModelControl, control: str) -> None:
    url = f"{model.url}/control/{control}"
    async with httpx.AsyncClient() as http:
        wrong = await http.get(url, headers={"authorization": "Bearer nope"})
        right = await http.get(url, headers={"authorization": f"Bearer {CONTROL_TOKEN}"})

    assert (wrong.status_code, right.status_code) == (401, 200)


@pytest.mark.parametrize("control", ["behaviour", "counts", "requests"])
async def test_without_a_token_there_are_no_controls(control: str) -> None:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as http:
        assert (await http.get(f"/control/{control}")).status_code == 404
        assert (await http.get("/v1/models")).json()["data"][0]["id"] == "kontor-demo"
        assert (await http.post("/v1/chat/completions", content=b"{")).status_code == 400
