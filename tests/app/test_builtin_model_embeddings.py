"""The built-in model's embeddings, with OpenAI's own client."""

import math
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from kontor.app.model.tokens import count
from support.processes import ModelControl
from support.shapes import in_shape


@pytest.fixture
async def client(model: ModelControl) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{model.url}/v1", api_key="test", max_retries=0) as made:
        yield made


async def test_a_text_has_one_vector_of_length_one_and_is_counted(
    client: AsyncOpenAI, model: ModelControl, marker: str
) -> None:
    text = f"Guten Tag {marker}"

    first = in_shape(await client.embeddings.create(model="e", input=text))
    again = await client.embeddings.create(model="e", input=text)
    other = await client.embeddings.create(model="e", input="Auf Wiedersehen")

    [vector] = [each.embedding for each in first.data]
    assert (len(vector), first.model) == (1536, "e")
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert again.data[0].embedding == vector
    assert other.data[0].embedding != vector
    assert first.usage.prompt_tokens == first.usage.total_tokens == count(text)
    counts = model.counts(marker)
    assert (counts["requests"], counts["answered"], counts["reported_input_tokens"]) == (2, 2, 2 * count(text))
    assert counts["output_tokens"] == 0


async def test_both_formats_say_the_same(client: AsyncOpenAI, model: ModelControl) -> None:
    in_base64 = await client.embeddings.create(model="e", input="Tag")  # what the client asks for by itself
    in_floats = await client.embeddings.create(model="e", input="Tag", encoding_format="float")
    async with httpx.AsyncClient() as http:
        raw = await http.post(f"{model.url}/v1/embeddings", json={"input": "Tag", "encoding_format": "base64"})

    assert in_base64.data[0].embedding == pytest.approx(in_floats.data[0].embedding)
    assert isinstance(raw.json()["data"][0]["embedding"], str)


@pytest.mark.parametrize(
    ("given", "vectors", "cost"),
    [
        ("Tag", 1, 1),
        (["Tag", "Nacht", "Tag"], 3, 3),
        ([1, 2, 3], 1, 3),
        ([[1, 2, 3], [4]], 2, 4),
    ],
)
async def test_each_input_has_a_vector(client: AsyncOpenAI, given: Any, vectors: int, cost: int) -> None:
    answer = await client.embeddings.create(model="e", input=given)

    assert [each.index for each in answer.data] == list(range(vectors))
    assert answer.usage.prompt_tokens == cost


async def test_fewer_dimensions_are_the_first_of_more(client: AsyncOpenAI) -> None:
    long = await client.embeddings.create(model="e", input="Tag")
    short = await client.embeddings.create(model="e", input="Tag", dimensions=8)

    first = long.data[0].embedding[:8]
    assert short.data[0].embedding == pytest.approx([each / math.hypot(*first) for each in first], rel=1e-4)


async def test_it_fails_breaks_off_and_omits_usage_when_told_to(
    client: AsyncOpenAI, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, status=503)
    model.behave(match=marker, disconnect_after=0)
    model.behave(match=marker, omit_usage=True)

    with pytest.raises(openai.InternalServerError):
        await client.embeddings.create(model="e", input=marker)
    with pytest.raises(openai.APIConnectionError):
        await client.embeddings.create(model="e", input=["x", marker])
    async with httpx.AsyncClient() as http:
        silent = await http.post(f"{model.url}/v1/embeddings", json={"input": marker})

    assert "usage" not in silent.json()
    counts = model.counts(marker)
    assert (counts["requests"], counts["failed"], counts["cut"], counts["answered"]) == (3, 1, 1, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a", 1]},
        {"input": [True]},
        {"input": [[]]},
        {"input": [["a"]]},
        {"input": ["a"] * 2049},
        {"input": {"a": 1}},
        {"input": "a", "dimensions": 0},
        {"input": "a", "dimensions": 4000},
        {"input": "a", "dimensions": "8"},
        {"input": "a", "encoding_format": "int8"},
        {"input": "a", "encoding_format": []},
    ],
)
async def test_what_cannot_be_embedded_is_refused(model: ModelControl, body: object) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{model.url}/v1/embeddings", json=body)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
