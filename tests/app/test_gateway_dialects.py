"""Four dialects through the gateway with the official clients: answers untouched, each call recorded once."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from kontor.billing.metering.answers import SUSPENDED, dialect_not_spoken
from kontor.billing.metering.gateway_keys import issue_direct_key, set_key_state
from support.eventually import eventually
from support.gateway import GatewayRig
from support.processes import ModelControl

WEATHER: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
BOTH = '[tool weather {"city": "Köln"}] [tool weather {"city": "Graz"}]'


@pytest.fixture
async def claude(rig: GatewayRig) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=rig.gateway.url, api_key=rig.assistant.secret, max_retries=0, timeout=60
    ) as client:
        yield client


async def the_event(rig: GatewayRig, model: ModelControl, marker: str) -> Any:
    """The one event, whose counts are the model's own."""
    [event] = await rig.events()
    counted = model.counts(marker)
    assert (event["input_tokens"], event["output_tokens"]) == (counted["input_tokens"], counted["output_tokens"])
    assert (event["source"], event["outcome"]) == ("reported", "answered")
    return event


async def test_a_response_whole(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    answer = await rig.client().responses.create(model="assistant", input=f"Zähle bis 5 {marker}")

    assert answer.output_text == "1 2 3 4 5"
    await the_event(rig, model, marker)
    [sent] = model.requests(marker)
    assert '"store":false' in sent["body"]


async def test_a_response_streamed(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    async with rig.client().responses.stream(model="assistant", input=f"Zähle bis 5 {marker}") as stream:
        told = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        final = await stream.get_final_response()

    assert told == final.output_text == "1 2 3 4 5"
    assert (await the_event(rig, model, marker))["first_token_ms"] is not None


async def test_a_message_whole_with_what_was_cached(
    rig: GatewayRig, claude: anthropic.AsyncAnthropic, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, cached_tokens=7, cache_write_tokens=3)

    answer = await claude.messages.create(
        model="assistant", max_tokens=100, messages=[{"role": "user", "content": f"Zähle bis 5 {marker}"}]
    )

    assert answer.content[0].type == "text"
    assert answer.content[0].text == "1 2 3 4 5"
    event = await the_event(rig, model, marker)
    assert (event["cached_tokens"], event["cache_write_tokens"]) == (7, 3)


async def test_a_message_streamed(
    rig: GatewayRig, claude: anthropic.AsyncAnthropic, model: ModelControl, marker: str
) -> None:
    asked: Any = [{"role": "user", "content": f"Zähle bis 5 {marker}"}]
    async with claude.messages.stream(model="assistant", max_tokens=100, messages=asked) as stream:
        told = "".join([text async for text in stream.text_stream])

    assert told == "1 2 3 4 5"
    await the_event(rig, model, marker)
    [sent] = model.requests(marker)
    headers = {name.lower(): value for name, value in sent["headers"]}
    assert headers["anthropic-version"] == claude.default_headers["anthropic-version"]
    assert rig.assistant.secret not in str(sent)


async def test_embeddings(rig: GatewayRig, marker: str) -> None:
    answer = await rig.client().embeddings.create(model="assistant", input=[marker, "Grüße"], dimensions=8)

    assert [len(one.embedding) for one in answer.data] == [8, 8]
    [event] = await rig.events()
    assert (event["input_tokens"], event["output_tokens"]) == (answer.usage.prompt_tokens, 0)


async def test_parallel_tool_calls_pass_in_chat_and_messages(rig: GatewayRig, claude: anthropic.AsyncAnthropic) -> None:
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
    stream = await rig.client().chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": BOTH}], tools=[tool], stream=True
    )
    arguments: dict[int, str] = {}
    async for chunk in stream:
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            given = call.function.arguments if call.function else None
            arguments[call.index] = arguments.get(call.index, "") + (given or "")

    answer = await claude.messages.create(
        model="assistant",
        max_tokens=100,
        messages=[{"role": "user", "content": BOTH}],
        tools=[{"name": "weather", "input_schema": WEATHER}],
    )

    assert ["Köln" in arguments[0], "Graz" in arguments[1]] == [True, True]
    assert [block.input for block in answer.content if block.type == "tool_use"] == [{"city": "Köln"}, {"city": "Graz"}]


async def test_an_image_passes(rig: GatewayRig) -> None:
    image = "data:image/png;base64,iVBORw0KGgo="
    content: Any = [{"type": "text", "text": "Was ist das?"}, {"type": "image_url", "image_url": {"url": image}}]

    answer = await rig.client().chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": content}]
    )

    assert "1 Bild" in (answer.choices[0].message.content or "")


async def test_each_dialect_tells_an_assistant_that_it_is_suspended_in_its_own_form(
    rig: GatewayRig, claude: anthropic.AsyncAnthropic
) -> None:
    async with rig.database.system_uow() as tx:
        await set_key_state(tx, rig.assistant.tenant, "suspended")

    async def is_told() -> bool:
        answer = await rig.client().responses.create(model="assistant", input="Hallo")
        return answer.output_text == SUSPENDED.de

    await eventually(is_told, within_s=3)
    asked: Any = [{"role": "user", "content": "Hallo"}]
    whole = await claude.messages.create(model="assistant", max_tokens=10, messages=asked)
    async with claude.messages.stream(model="assistant", max_tokens=10, messages=asked) as stream:
        streamed = await stream.get_final_text()
    async with rig.client().responses.stream(model="assistant", input="Hallo") as events:
        final = await events.get_final_response()

    assert whole.content[0].type == "text"
    assert whole.content[0].text == streamed == final.output_text == SUSPENDED.de


async def test_a_program_gets_errors_that_its_client_knows(rig: GatewayRig) -> None:
    async with rig.database.system_uow() as tx:
        _, secret = await issue_direct_key(tx, rig.assistant.tenant)
    async with anthropic.AsyncAnthropic(base_url=rig.gateway.url, api_key=secret, max_retries=0) as client:
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.messages.create(model="x", max_tokens=1, messages=[{"role": "user", "content": "a"}])
    async with anthropic.AsyncAnthropic(base_url=rig.gateway.url, api_key="kgw_wrong", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="x", max_tokens=1, messages=[{"role": "user", "content": "a"}])
    async with openai.AsyncOpenAI(base_url=f"{rig.gateway.url}/v1", api_key=secret, max_retries=0) as program:
        with pytest.raises(openai.BadRequestError) as kept:
            await program.responses.create(model="assistant", input="Hallo", store=True)

    assert unknown.value.body["error"]["code"] == "gateway.model_unknown"  # type: ignore[index]
    assert "'store' is not available here" in str(kept.value)


async def test_a_model_is_not_served_on_a_route_that_its_provider_does_not_speak(
    own_rig: GatewayRig, tmp_path: Any, model: ModelControl
) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        f'[providers.builtin]\nbase_url = "{model.url}/v1"\nspeaks = ["chat"]\n'
        '[models.assistant]\ndeployments = [{ provider = "builtin", model = "kontor-demo" }]\n'
    )
    gateway = own_rig.start_gateway(KONTOR_MODELS_FILE=str(file))

    async with own_rig.database.system_uow() as tx:
        _, secret = await issue_direct_key(tx, own_rig.assistant.tenant)
    response = {"model": "assistant", "input": "Hallo"}

    async with httpx.AsyncClient(headers={"authorization": f"Bearer {own_rig.assistant.secret}"}) as http:
        program = {"authorization": f"Bearer {secret}"}
        refused = await http.post(f"{gateway.url}/v1/responses", json=response, headers=program)
        told = await http.post(f"{gateway.url}/v1/responses", json=response)
        chat = {"model": "assistant", "messages": [{"role": "user", "content": "Hallo"}]}
        answered = await http.post(f"{gateway.url}/v1/chat/completions", json=chat)

    assert (refused.status_code, refused.json()["code"]) == (404, "gateway.dialect_not_spoken")
    assert told.json()["output"][0]["content"][0]["text"] == dialect_not_spoken(is_instance=True).text.de
    assert answered.status_code == 200
