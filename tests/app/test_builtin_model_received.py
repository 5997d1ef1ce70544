"""What the built-in model received can be read back, in bounds, by those who know the control token."""

import httpx
import pytest

from kontor.app.model.received import Received
from support.processes import CONTROL_TOKEN, ModelControl, Process

BODIES = {
    "/v1/chat/completions": '{"messages": [{"role": "user",  "content": "%s"}]}',
    "/v1/responses": '{"input":"%s"}',
    "/v1/messages": '{"max_tokens": 9, "messages": [{"role": "user", "content": "%s"}]}',
    "/v1/embeddings": '{"input": ["%s"]}',
}


@pytest.mark.parametrize("path", BODIES)
async def test_a_request_is_read_back_as_it_came(model: ModelControl, marker: str, path: str) -> None:
    body = BODIES[path] % marker
    headers = [("authorization", "Bearer key-of-a-tenant"), ("x-twice", "1"), ("x-twice", "2")]
    async with httpx.AsyncClient() as http:
        await http.post(model.url + path, content=body, headers=headers)
        await http.post(model.url + path, content=body[:-1])

    whole, broken = model.requests(marker)

    assert (whole["path"], whole["body"]) == (path, body)
    assert all([name, value] in whole["headers"] for name, value in headers)
    assert broken["body"] == body[:-1]


async def test_nothing_of_it_is_in_the_log(model_process: Process, model: ModelControl, marker: str) -> None:
    async with httpx.AsyncClient() as http:
        await http.post(f"{model.url}/v1/responses", json={"input": marker}, headers={"x-secret": marker})

    assert len(model.requests(marker)) == 1
    assert marker not in model_process.log


async def test_a_number_that_is_none_is_refused(model: ModelControl) -> None:
    headers = {"authorization": f"Bearer {CONTROL_TOKEN}"}
    async with httpx.AsyncClient(base_url=model.url, headers=headers) as http:
        assert (await http.get("/control/requests", params={"last": "all"})).status_code == 400
        assert (await http.get("/control/requests", params={"last": "1"})).status_code == 200


def bodies(received: Received, number: int = 9, containing: str = "") -> list[bytes]:
    return [kept.body for kept in received.last(number, containing)]


def test_the_last_are_kept_oldest_first() -> None:
    received = Received(most=3)

    for number in range(5):
        received.keep("/", [], b"%d" % number)

    assert bodies(received) == [b"2", b"3", b"4"]
    assert bodies(received, 2) == [b"3", b"4"]
    assert bodies(received, 0) == []
    assert bodies(received, containing="3") == [b"3"]


def test_as_many_bytes_are_kept_as_fit() -> None:
    received = Received(most_bytes=20)

    received.keep("/", [("a", "b")], b"x" * 7)
    received.keep("/", [], b"y" * 9)
    both = bodies(received)
    received.keep("/", [], b"z")
    newest = bodies(received)
    received.keep("/", [], b"!" * 20)

    assert (both, newest) == ([b"x" * 7, b"y" * 9], [b"y" * 9, b"z"])
    assert bodies(received) == []


def test_what_is_forgotten_takes_no_room() -> None:
    received = Received(most_bytes=10)
    received.keep("/", [], b"x" * 9)

    received.forget()
    received.keep("/", [], b"y" * 9)

    assert bodies(received) == [b"y" * 9]
