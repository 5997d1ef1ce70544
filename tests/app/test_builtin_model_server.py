"""The built-in model over HTTP, with OpenAI's own client."""

from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from kontor.app.model.server import application
from kontor.app.model.tokens import count_messages
from support.processes import CONTROL_TOKEN, ModelControl


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


async def test_the_controls_are_closed_without_the_token(model: ModelControl) -> None:
    async with httpx.AsyncClient() as http:
        wrong = await http.get(f"{model.url}/control/counts", headers={"authorization": "Bearer nope"})
        right = await http.get(f"{model.url}/control/counts", headers={"authorization": f"Bearer {CONTROL_TOKEN}"})

    assert (wrong.status_code, right.status_code) == (401, 200)


async def test_without_a_token_there_are_no_controls() -> None:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as http:
        assert (await http.get("/control/counts")).status_code == 404
        assert (await http.get("/v1/models")).json()["data"][0]["id"] == "kontor-demo"
        assert (await http.post("/v1/chat/completions", content=b"{")).status_code == 400
