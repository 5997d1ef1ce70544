"""The built-in model in the dialect of Anthropic's Messages, with Anthropic's own client."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import AsyncAnthropic

from kontor.app.model.tokens import PER_IMAGE, count, count_messages
from support.processes import ModelControl
from support.shapes import in_shape

WEATHER: Any = {"name": "weather", "input_schema": {"type": "object"}}
ASKS_TWICE = 'Wetter? [tool weather {"city": "Ulm"}] [tool weather {"city": "Bonn"}]'
PIXEL: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}


@pytest.fixture
async def client(model: ModelControl) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=model.url, api_key="test", max_retries=0) as made:
        yield made


def asks(content: Any, **more: Any) -> Any:
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": content}], **more}


def text_of(message: Any) -> str:
    [block] = message.content
    assert block.type == "text"
    return str(block.text)


async def test_a_question_is_answered_and_counted(client: AsyncAnthropic, model: ModelControl, marker: str) -> None:
    question = f"Zähle bis 7 {marker}"

    answer = in_shape(await client.messages.create(**asks(question)))

    assert (answer.role, answer.stop_reason, text_of(answer)) == ("assistant", "end_turn", "1 2 3 4 5 6 7")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (count_messages([question]), 7)
    assert (answer.usage.cache_creation_input_tokens, answer.usage.cache_read_input_tokens) == (0, 0)
    counts = model.counts(marker)
    assert (counts["requests"], counts["answered"], counts["reported_output_tokens"]) == (1, 1, 7)


@pytest.mark.parametrize(
    "system", ["Öffnungszeiten: 8 bis 12 Uhr", [{"type": "text", "text": "Öffnungszeiten: 8 bis 12 Uhr"}]]
)
async def test_the_system_prompt_is_a_string_or_blocks(client: AsyncAnthropic, system: Any) -> None:
    content = [{"type": "text", "text": "Wie sind die Öffnungszeiten?"}]

    answer = await client.messages.create(**asks(content, system=system))

    assert text_of(answer) == "Öffnungszeiten: 8 bis 12 Uhr"


async def test_a_stream_has_every_event_in_its_order(client: AsyncAnthropic) -> None:
    stream = await client.messages.create(**asks("Zähle bis 3"), stream=True)

    events: list[Any] = [in_shape(event) async for event in stream]

    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    started, ended = events[0].message, events[-2]
    assert "".join(event.delta.text for event in events[2:5]) == "1 2 3"
    assert (started.content, started.stop_reason) == ([], None)
    assert started.usage.input_tokens == ended.usage.input_tokens == count_messages(["Zähle bis 3"])
    assert (ended.delta.stop_reason, ended.usage.output_tokens) == ("end_turn", 3)


async def test_a_stream_names_its_events_and_pings(model: ModelControl) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{model.url}/v1/messages", json=asks("Hallo", stream=True))

    events = answer.text.strip().split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events[0].startswith('event: message_start\ndata: {"type":"message_start","message":{"id":"msg_')
    assert events[2] == 'event: ping\ndata: {"type":"ping"}'
    assert events[-1] == 'event: message_stop\ndata: {"type":"message_stop"}'


async def test_the_client_puts_a_stream_together(client: AsyncAnthropic) -> None:
    async with client.messages.stream(**asks(ASKS_TWICE, tools=[WEATHER])) as stream:
        answer = in_shape(await stream.get_final_message())

    assert [(block.type, block.name, block.input) for block in answer.content if block.type == "tool_use"] == [
        ("tool_use", "weather", {"city": "Ulm"}),
        ("tool_use", "weather", {"city": "Bonn"}),
    ]
    assert answer.stop_reason == "tool_use"
    assert answer.usage.output_tokens == count('{"city": "Ulm"}{"city": "Bonn"}')


async def test_an_answer_longer_than_allowed_is_cut_at_its_tokens(client: AsyncAnthropic) -> None:
    answer = await client.messages.create(**asks("Zähle bis 9") | {"max_tokens": 3})

    assert (text_of(answer), answer.stop_reason, answer.usage.output_tokens) == ("1 2 3", "max_tokens", 3)


async def test_tools_are_called_in_parallel_and_their_results_told(client: AsyncAnthropic) -> None:
    answer: Any = in_shape(await client.messages.create(**asks(ASKS_TWICE, tools=[WEATHER])))

    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": f"{number} °C"}]}
        for number, block in enumerate(answer.content)
    ]
    said: Any = [
        {"role": "user", "content": ASKS_TWICE},
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": results},
    ]
    after = await client.messages.create(model="m", max_tokens=100, tools=[WEATHER], messages=said)

    assert answer.stop_reason == "tool_use"
    assert [block.input for block in answer.content] == [{"city": "Ulm"}, {"city": "Bonn"}]
    assert len({block.id for block in answer.content}) == 2
    assert text_of(after) == "Das Werkzeug meldet: 0 °C\n1 °C"
    called = 'weather {"city":"Ulm"} weather {"city":"Bonn"}'
    assert after.usage.input_tokens == count_messages([ASKS_TWICE, called, "0 °C", "1 °C"])


@pytest.mark.parametrize(
    ("choice", "called"), [({"type": "none"}, 0), ({"type": "auto", "disable_parallel_tool_use": True}, 1)]
)
async def test_a_request_may_forbid_tools_or_several_at_once(
    client: AsyncAnthropic, choice: dict[str, object], called: int
) -> None:
    answer = await client.messages.create(**asks(ASKS_TWICE, tools=[WEATHER], tool_choice=choice))

    assert sum(block.type == "tool_use" for block in answer.content) == called


async def test_images_cost_a_fixed_number_of_tokens_and_are_named(client: AsyncAnthropic) -> None:
    answer = await client.messages.create(**asks([PIXEL, PIXEL, {"type": "text", "text": "Hello"}]))

    assert text_of(answer) == "Hello! How can I help you? (2 images)"
    assert answer.usage.input_tokens == count_messages(["Hello"]) + 2 * PER_IMAGE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "authentication_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_it_fails_in_anthropics_shape(
    client: AsyncAnthropic, model: ModelControl, marker: str, status: int, kind: str
) -> None:
    model.behave(match=marker, status=status, error="Overloaded")

    with pytest.raises(anthropic.APIStatusError) as failed:
        await client.messages.create(**asks(marker))

    assert failed.value.status_code == status
    assert failed.value.body == {"type": "error", "error": {"type": kind, "message": "Overloaded"}}


async def test_it_breaks_off_and_omits_usage_when_told_to(
    client: AsyncAnthropic, model: ModelControl, marker: str
) -> None:
    question = asks(f"Zähle bis 9 {marker}")
    model.behave(match=marker, disconnect_after=3)
    model.behave(match=marker, disconnect_after=0)
    model.behave(match=marker, omit_usage=True, times=2)

    stream = await client.messages.create(**question, stream=True)
    with pytest.raises(httpx2.RemoteProtocolError):  # the client passes on what its transport raises
        _ = [event async for event in stream]
    with pytest.raises(anthropic.APIConnectionError):
        await client.messages.create(**question)
    async with httpx.AsyncClient() as http:
        silent = await http.post(f"{model.url}/v1/messages", json=question)
        silent_stream = await http.post(f"{model.url}/v1/messages", json=question | {"stream": True})

    assert "usage" not in silent.json()
    assert '"usage"' not in silent_stream.text
    counts = model.counts(marker)
    assert (counts["requests"], counts["cut"], counts["answered"], counts["reported"]) == (4, 2, 2, 0)
    assert counts["output_tokens"] == 3 + 9 + 9 + 9


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"max_tokens": 9}, "messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        ({"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}, "max_tokens"),
        ([], "JSON"),
    ],
)
async def test_a_request_that_lacks_something_is_refused(model: ModelControl, body: object, named: str) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{model.url}/v1/messages", json=body)

    error = answer.json()
    assert (answer.status_code, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    assert named in error["error"]["message"]
