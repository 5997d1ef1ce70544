"""What the built-in model counts and tells is the same in every dialect, so that metering can be compared with it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from support.eventually import eventually
from support.processes import ModelControl

SAID = {
    "/v1/chat/completions": lambda text: {"messages": [{"role": "user", "content": text}]},
    "/v1/responses": lambda text: {"input": text},
    "/v1/messages": lambda text: {"messages": [{"role": "user", "content": text}], "max_tokens": 99},
}
USAGE = {
    "/v1/chat/completions": lambda usage: (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"],
        usage["prompt_tokens_details"]["cache_write_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    ),
    "/v1/responses": lambda usage: (
        usage["input_tokens"],
        usage["output_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["input_tokens_details"]["cache_write_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    ),
    "/v1/messages": lambda usage: (
        usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"],
        usage["output_tokens"],
        usage["cache_read_input_tokens"],
        usage["cache_creation_input_tokens"],
        usage["output_tokens_details"]["thinking_tokens"],
    ),
}


@pytest.fixture
async def http(model: ModelControl) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=model.url) as made:
        yield made


@pytest.mark.parametrize("path", SAID)
async def test_cached_and_reasoning_tokens_are_told_and_counted(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    model.behave(match=marker, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=5)

    answer = await http.post(path, json=SAID[path](f"Zähle bis 7 {marker}"))

    counts = model.counts(marker)
    assert USAGE[path](answer.json()["usage"]) == (counts["input_tokens"], 7 + 5, 4, 2, 5)
    assert (counts["output_tokens"], counts["reported_output_tokens"], counts["answered"]) == (12, 12, 1)


@pytest.mark.parametrize("path", SAID)
async def test_no_more_is_cached_than_was_asked(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    model.behave(match=marker, cached_tokens=9999, cache_write_tokens=9999, reasoning_tokens=1)

    answer = await http.post(path, json=SAID[path](marker))

    asked = model.counts(marker)["input_tokens"]
    assert USAGE[path](answer.json()["usage"])[2:4] == (asked, 0)


@pytest.mark.parametrize("path", [*SAID, "/v1/embeddings"])
async def test_requests_are_counted_under_the_models_name(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    body: Any = SAID[path]("Hallo") if path in SAID else {"input": "Hallo"}

    await http.post(path, json=body | {"model": marker})
    await http.post(path, json=body | {"model": marker})

    counts = model.counts_of_model(marker)
    assert (counts["requests"], counts["answered"], counts["reported"]) == (2, 2, 2)
    assert counts["reported_input_tokens"] == counts["input_tokens"] > 0


@pytest.mark.parametrize("path", [*SAID, "/v1/embeddings"])
async def test_an_answer_waits_as_long_as_it_was_told(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    body = SAID[path](marker) if path in SAID else {"input": marker}
    model.behave(match=marker, delay_ms=3000)

    with pytest.raises(httpx.ReadTimeout):
        await http.post(path, json=body, timeout=0.3)

    assert (await http.post(path, json=body)).status_code == 200


@pytest.mark.parametrize("path", SAID)
async def test_a_stream_waits_before_each_token(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    model.behave(match=marker, chunk_delay_ms=3000)

    with pytest.raises(httpx.ReadTimeout):
        async with http.stream("POST", path, json=SAID[path](marker) | {"stream": True}, timeout=1) as answer:
            await answer.aread()

    assert answer.status_code == 200


@pytest.mark.parametrize("path", SAID)
async def test_a_reader_that_goes_away_leaves_a_cut_answer(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    model.behave(match=marker, chunk_delay_ms=5)
    body = SAID[path](f"Zähle bis 90 {marker}") | {"stream": True}

    async with http.stream("POST", path, json=body) as answer:
        await anext(answer.aiter_lines())

    async def is_cut() -> bool:
        return model.counts(marker)["cut"] == 1

    await eventually(is_cut, what="the model saw that nobody reads")
    assert model.counts(marker)["answered"] == 0


@pytest.mark.parametrize(
    "header", [{"x-api-key": "key-{}"}, {"authorization": "Bearer key-{}"}], ids=["x-api-key", "bearer"]
)
async def test_requests_are_counted_under_their_key(
    http: httpx.AsyncClient, model: ModelControl, marker: str, header: dict[str, str]
) -> None:
    headers = {name: value.format(marker) for name, value in header.items()}

    await http.post("/v1/messages", json=SAID["/v1/messages"]("Hallo"), headers=headers)

    assert model.counts_of_key(f"key-{marker}")["answered"] == 1


@pytest.mark.parametrize("path", SAID)
async def test_what_is_cut_is_counted_as_far_as_it_came(
    http: httpx.AsyncClient, model: ModelControl, marker: str, path: str
) -> None:
    model.behave(match=marker, disconnect_after=3)
    model.behave(match=marker, disconnect_after=99)

    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(path, json=SAID[path](f"Zähle bis 7 {marker}") | {"stream": True})

    counts = model.counts(marker)
    assert (counts["cut"], counts["answered"], counts["reported"], counts["output_tokens"]) == (2, 0, 0, 3 + 7)
