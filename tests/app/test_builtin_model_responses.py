"""The built-in model in the dialect of OpenAI's Responses, with OpenAI's own client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from kontor.app.model.tokens import PER_IMAGE, count, count_messages
from support.processes import ModelControl
from support.shapes import in_shape

WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ASKS_TWICE = 'Wetter? [tool weather {"city": "Ulm"}] [tool weather {"city": "Bonn"}]'


@pytest.fixture
async def client(model: ModelControl) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{model.url}/v1", api_key="test", max_retries=0) as made:
        yield made


async def test_a_string_is_answered_and_counted(client: AsyncOpenAI, model: ModelControl, marker: str) -> None:
    question = f"Zähle bis 7 {marker}"

    answer = in_shape(await client.responses.create(model="any", input=question))

    assert (answer.status, answer.model, answer.output_text) == ("completed", "any", "1 2 3 4 5 6 7")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (count_messages([question]), 7)
    assert answer.usage.total_tokens == answer.usage.input_tokens + 7
    assert (answer.usage.input_tokens_details.cached_tokens, answer.usage.output_tokens_details.reasoning_tokens) == (
        0,
        0,
    )
    counts = model.counts(marker)
    assert (counts["requests"], counts["answered"], counts["reported_output_tokens"]) == (1, 1, 7)


async def test_items_are_a_conversation_and_instructions_its_prompt(client: AsyncOpenAI) -> None:
    said: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Mein Name ist Ada"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Freut mich"}]},
    ]

    name = await client.responses.create(model="m", input=[*said, {"role": "user", "content": "Wie heiße ich?"}])
    hours = await client.responses.create(
        model="m", instructions="Öffnungszeiten: 8 bis 12 Uhr", input="Wie sind die Öffnungszeiten?"
    )

    assert name.output_text == "Sie heißen Ada."
    assert hours.output_text == "Öffnungszeiten: 8 bis 12 Uhr"


async def test_a_stream_has_every_event_in_its_order(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="m", input="Zähle bis 3", stream=True)

    events: list[Any] = [in_shape(event) async for event in stream]

    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(11))
    assert "".join(event.delta for event in events[4:7]) == events[7].text == events[-1].response.output_text == "1 2 3"
    assert (events[0].response.usage, events[0].response.output) == (None, [])
    assert events[-1].response.usage.output_tokens == 3


async def test_a_stream_names_its_events_and_ends_without_done(model: ModelControl) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{model.url}/v1/responses", json={"model": "m", "input": "Hallo", "stream": True})

    events = answer.text.strip().split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events[0].startswith('event: response.created\ndata: {"type":"response.created","sequence_number":0,')
    assert events[-1].startswith('event: response.completed\ndata: {"type":"response.completed",')


async def test_an_answer_longer_than_allowed_is_incomplete(client: AsyncOpenAI) -> None:
    whole = in_shape(await client.responses.create(model="m", input="Zähle bis 9", max_output_tokens=3))
    stream = await client.responses.create(model="m", input="Zähle bis 9", max_output_tokens=3, stream=True)

    events: list[Any] = [in_shape(event) async for event in stream]

    assert (whole.status, whole.output_text) == ("incomplete", "1 2 3")
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"
    assert (events[-1].type, events[-1].response.output_text) == ("response.incomplete", "1 2 3")


async def test_tools_are_called_in_parallel_and_their_results_told(client: AsyncOpenAI) -> None:
    answer = in_shape(await client.responses.create(model="m", input=ASKS_TWICE, tools=[WEATHER]))
    calls = [item for item in answer.output if item.type == "function_call"]

    results: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{number} °C"}
        for number, call in enumerate(calls)
    ]
    after = await client.responses.create(
        model="m", tools=[WEATHER], input=[{"role": "user", "content": ASKS_TWICE}, *answer.output, *results]
    )

    assert [(call.name, call.arguments) for call in calls] == [
        ("weather", '{"city": "Ulm"}'),
        ("weather", '{"city": "Bonn"}'),
    ]
    assert len({call.call_id for call in calls}) == len({call.id for call in calls}) == 2
    assert after.output_text == "Das Werkzeug meldet: 0 °C\n1 °C"
    assert after.usage is not None
    assert after.usage.input_tokens == count_messages(
        [ASKS_TWICE, *(f"weather {call.arguments}" for call in calls), "0 °C", "1 °C"]
    )


@pytest.mark.parametrize(("forbids", "called"), [({"tool_choice": "none"}, 0), ({"parallel_tool_calls": False}, 1)])
async def test_a_request_may_forbid_tools_or_several_at_once(
    client: AsyncOpenAI, forbids: dict[str, Any], called: int
) -> None:
    answer = await client.responses.create(model="m", input=ASKS_TWICE, tools=[WEATHER], **forbids)

    assert sum(item.type == "function_call" for item in answer.output) == called


async def test_a_stream_has_the_arguments_of_calls_piece_by_piece(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="m", input=ASKS_TWICE, tools=[WEATHER], stream=True)

    events: list[Any] = [in_shape(event) async for event in stream]

    deltas = [event for event in events if event.type == "response.function_call_arguments.delta"]
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in done] == ['{"city": "Ulm"}', '{"city": "Bonn"}']
    for index, event in enumerate(done):
        assert "".join(delta.delta for delta in deltas if delta.output_index == index) == event.arguments
    assert events[-1].response.usage.output_tokens == len(deltas) == count('{"city": "Ulm"}{"city": "Bonn"}')


async def test_an_image_costs_a_fixed_number_of_tokens_and_is_named(client: AsyncOpenAI) -> None:
    parts: Any = [{"type": "input_text", "text": "Hallo"}, {"type": "input_image", "image_url": "data:,x"}]

    answer = await client.responses.create(model="m", input=[{"role": "user", "content": parts}])

    assert answer.output_text.endswith("(1 Bild)")
    assert answer.usage is not None
    assert answer.usage.input_tokens == count_messages(["Hallo"]) + PER_IMAGE


async def test_it_fails_breaks_off_and_omits_usage_when_told_to(
    client: AsyncOpenAI, model: ModelControl, marker: str
) -> None:
    question = f"Zähle bis 9 {marker}"
    model.behave(match=marker, status=429, error="too many", error_code="rate_limit_exceeded")
    model.behave(match=marker, disconnect_after=3)
    model.behave(match=marker, disconnect_after=0)
    model.behave(match=marker, omit_usage=True, times=2)

    with pytest.raises(openai.RateLimitError, match="too many"):
        await client.responses.create(model="m", input=question)
    stream = await client.responses.create(model="m", input=question, stream=True)
    with pytest.raises(openai.APIConnectionError):
        _ = [event async for event in stream]
    with pytest.raises(openai.APIConnectionError):
        await client.responses.create(model="m", input=question)
    silent = await client.responses.create(model="m", input=question)
    events: list[Any] = [event async for event in await client.responses.create(model="m", input=question, stream=True)]

    assert silent.usage is None
    assert events[-1].response.usage is None
    counts = model.counts(marker)
    assert (counts["requests"], counts["failed"], counts["cut"], counts["answered"]) == (5, 1, 2, 2)
    assert (counts["output_tokens"], counts["reported"]) == (3 + 9 + 9 + 9, 0)


async def test_it_has_no_memory_of_earlier_responses(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="m", input="Mein Name ist Ada")

    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model="m", input="Wie heiße ich?", previous_response_id=first.id)

    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


@pytest.mark.parametrize("body", [{}, {"input": []}, {"input": 7}, [], "x"])
async def test_a_request_without_input_is_refused(model: ModelControl, body: object) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{model.url}/v1/responses", json=body)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
