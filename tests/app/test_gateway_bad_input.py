"""A gateway's process between callers and a provider that both do their worst: what is refused, passed on and held."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from kontor.billing.metering.answers import PROVIDER_DOWN
from kontor.billing.metering.caller import MOST_BODY_BYTES
from support.eventually import eventually
from support.forwarding import ANSWER, CHUNK, STREAM_HEAD, hangs_up, whole
from support.gateway import GatewayRig, chat
from support.processes import Process, free_port
from support.scripted import Provider, Script, provider

pytestmark = pytest.mark.xdist_group("gateway-bad-input")  # one gateway for all of them

MB = 1_000_000


@dataclass(frozen=True)
class Front:
    """A gateway in front of a port on which a test's provider listens."""

    gateway: Process
    port: int


@pytest.fixture(scope="module")
def front(shared_gateway: GatewayRig) -> Iterator[Front]:
    """One for all tests here, on the shared database."""
    port = free_port()
    made = before(shared_gateway, port)
    yield Front(made, port)
    made.kill()


@pytest.fixture
def own_front(rig: GatewayRig) -> Front:
    """One that has done nothing yet."""
    port = free_port()
    return Front(before(rig, port), port)


def before(rig: GatewayRig, port: int) -> Process:
    return rig.start_gateway(OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY="x")


@asynccontextmanager
async def answering(rig: GatewayRig, front: Front, *answers: bytes | Script) -> AsyncIterator[Provider]:
    """The rig's requests reach a provider that plays these."""
    rig.gateway = front.gateway
    async with provider(*answers, port=front.port) as (_, made):
        yield made


def once(answer: bytes) -> Script:
    """Answers a request and closes the connection."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return play


def sent_by(provider: Provider) -> list[Any]:
    return [orjson.loads(request.partition(b"\r\n\r\n")[2]) for request in provider.requests]


async def upload(rig: GatewayRig, size: int, **headers: str) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(size // MB):
            yield bytes(MB)

    async with httpx.AsyncClient(timeout=60) as http:
        headers["authorization"] = f"Bearer {rig.assistant.secret}"
        return await http.post(f"{rig.gateway.url}/v1/chat/completions", content=body(), headers=headers)


@pytest.mark.parametrize(
    ("headers", "held"),
    [({"content-length": str(100 * MB)}, 8 * MB), ({}, MOST_BODY_BYTES + 12 * MB)],
    ids=["announced", "in-chunks"],
)
async def test_a_body_of_100_mb_is_refused_and_not_held(
    rig: GatewayRig, front: Front, headers: dict[str, str], held: int
) -> None:
    async with answering(rig, front, whole()) as provider:
        front.gateway.forget_peak()
        before = front.gateway.memory_bytes

        refused = await upload(rig, 100 * MB, **headers)

    assert (refused.status_code, refused.json()["code"]) == (413, "gateway.too_large")
    assert front.gateway.peak_bytes - before < held
    assert provider.connections == 0


async def test_a_body_at_the_limit_is_passed_on(rig: GatewayRig, front: Front) -> None:
    frame = len(orjson.dumps(chat("")))
    body = orjson.dumps(chat("x" * (MOST_BODY_BYTES - frame)))

    async with answering(rig, front, whole()) as provider:
        answer = await rig.post(body)

        assert len(body) == MOST_BODY_BYTES
        assert answer.status_code == 200
        assert len(sent_by(provider)[0]["messages"][-1]["content"]) == MOST_BODY_BYTES - frame


async def test_ten_thousand_tools_reach_the_provider_as_they_are(rig: GatewayRig, front: Front) -> None:
    parameters = {"type": "object", "properties": {"ort": {"type": "string", "description": "Größe, 😀, \\u0000"}}}
    function = {"description": "d" * 100, "parameters": parameters}
    tools = [{"type": "function", "function": {"name": f"f{number}", **function}} for number in range(10_000)]

    async with answering(rig, front, whole()) as provider:
        answer = await rig.post(chat("Hallo", tools=tools))

        assert answer.status_code == 200
        assert sent_by(provider)[0]["tools"] == tools


def asks(rest: bytes) -> bytes:
    return b'{"model":"assistant","messages":[{"role":"user","content":"Hallo"}]' + rest + b"}"


REFUSED = [
    pytest.param(asks(b',"metadata":' + b"[" * 300 + b"]" * 300), id="nested-beyond-what-can-be-written"),
    pytest.param(asks(b',"metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000), id="nested-beyond-reading"),
    pytest.param(asks(b',"user":"\xff\xfe"'), id="invalid-utf-8"),
    pytest.param(asks(b',"user":"\xed\xa0\x80"'), id="a-surrogate-in-utf-8"),
    pytest.param(asks(b',"user":"\\ud800"'), id="a-lone-surrogate"),
    pytest.param(asks(b',"user":"\x00"'), id="nul"),
    pytest.param(asks(b',"temperature":NaN'), id="nan"),
    pytest.param(asks(b',"temperature":1e999'), id="endless-number"),
    pytest.param(b"\xef\xbb\xbf" + asks(b""), id="bom"),
    pytest.param(asks(b"") + asks(b""), id="two-bodies"),
]


@pytest.mark.parametrize("body", REFUSED)
async def test_what_could_be_read_in_two_ways_or_not_be_written_reaches_no_provider(
    rig: GatewayRig, front: Front, body: bytes
) -> None:
    async with answering(rig, front, whole()) as provider:
        refused = await rig.post(body)

        assert (refused.status_code, refused.json()["code"]) == (400, "gateway.invalid_request")
        assert refused.json()["detail"].endswith(".")
        assert provider.connections == 0
    assert await rig.events() == []


async def test_of_a_name_that_stands_twice_the_provider_sees_what_the_gateway_has_read(
    rig: GatewayRig, front: Front
) -> None:
    twice = b'{"stream":true,"messages":[],"model":"gpt-99",' + asks(b',"stream":false,"user":"a\\u0000b"')[1:]

    async with answering(rig, front, whole()) as provider:
        answer = await rig.post(twice)

        assert (answer.status_code, answer.json()) == (200, ANSWER)
        [request] = provider.requests
        assert request.count(b'"stream"') == request.count(b'"model"') == request.count(b'"messages"') == 1
        [sent] = sent_by(provider)
        assert (sent["model"], sent["stream"], sent["user"]) == ("gpt-4.1-mini", False, "a\0b")


HALLO = [{"role": "user", "content": "Hallo"}]
ASKED = {"model": "assistant", "messages": HALLO, "input": "Hallo", "max_tokens": 9}
ROUTES = [
    *(
        f"POST {prefix}/{route}"
        for prefix in ("/v1", "", "//v1", "/V1", "/v1/", "/v1/..", "http://x/v1", "/base/v1")
        for route in ("chat/completions", "responses", "messages", "embeddings")
    ),
    *(
        f"POST /v1/{route}"
        for route in ("completions", "images/generations", "audio/speech", "files", "batches", "moderations")
    ),
    *(f"POST /v1/chat/completions{rest}" for rest in ("/", "?a=b", ";a", "%20", "/../models")),
    *(f"{method} /v1/chat/completions" for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "QUERY")),
    "POST /v1/models",
    "GET /v1/models/assistant",
    "POST /metrics",
    "GET /v1/responses/x",
]


async def test_no_route_reaches_a_provider_past_the_meter(rig: GatewayRig, front: Front) -> None:
    body = orjson.dumps(ASKED)
    head = (
        f"host: x\r\nauthorization: Bearer {rig.assistant.secret}\r\ncontent-length: {len(body)}\r\nconnection: close"
    )

    async with answering(rig, front, whole()) as provider:
        for route in ROUTES:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(front.gateway.url.rpartition(":")[2]))
            writer.write(f"{route} HTTP/1.1\r\n{head}\r\n\r\n".encode() + body)
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 ")
            writer.close()

        assert len(provider.requests) >= 3
        assert len(await eventually_all(rig, len(provider.requests))) == len(provider.requests)


STREAM_BYTES = 20 * MB
READERS = 12
HELD_BYTES = 256 * 1024


async def test_readers_of_a_byte_at_a_time_hold_little_and_make_the_provider_wait(
    rig: GatewayRig, own_front: Front
) -> None:
    sent: list[int] = []

    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        place = len(sent)
        sent.append(0)
        writer.write(STREAM_HEAD)
        while sent[place] < STREAM_BYTES:
            writer.write(CHUNK * 300)
            await writer.drain()
            sent[place] += 300 * len(CHUNK)

    body = orjson.dumps(chat("Hallo", stream=True))
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (rig.assistant.secret.encode(), len(body), body)
    )
    loop = asyncio.get_running_loop()

    async with answering(rig, own_front, talks), AsyncExitStack() as open_:
        await rig.post(chat("Hallo"))  # what is made once is made
        sent.clear()
        address = ("127.0.0.1", int(own_front.gateway.url.rpartition(":")[2]))
        before = own_front.gateway.memory_bytes
        readers = [open_.enter_context(socket.socket()) for _ in range(READERS)]
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
            reader.settimeout(0)
            await loop.sock_connect(reader, address)
            await loop.sock_sendall(reader, request)
        seen = []

        async def nothing_moves() -> bool:
            for reader in readers:
                assert len(await loop.sock_recv(reader, 1)) == 1
            seen.append(tuple(sent))
            await asyncio.sleep(0.1)
            return len(sent) == READERS and seen[-5:] == [tuple(sent)] * 5

        await eventually(nothing_moves, within_s=60)
        held = own_front.gateway.memory_bytes - before

        assert max(sent) < STREAM_BYTES
        assert held / READERS < HELD_BYTES

    events = await eventually_all(rig, READERS + 1)
    assert [event["outcome"] for event in events[1:]] == ["disconnected"] * READERS


async def eventually_all(rig: GatewayRig, count: int) -> list[Any]:
    """The rig's events, once there are so many."""

    async def all_are_there() -> list[Any]:
        events = await rig.events()
        assert len(events) == count
        return events

    return await eventually(all_are_there)


async def test_a_wrong_key_costs_one_lookup_and_nothing_upstream(rig: GatewayRig, front: Front) -> None:
    wrong = rig.assistant.secret[:-1] + ("a" if rig.assistant.secret[-1] != "a" else "b")
    before = await lookups(rig)

    async def knock(http: httpx.AsyncClient) -> set[int]:
        url, headers = f"{front.gateway.url}/v1/chat/completions", {"authorization": f"Bearer {wrong}"}
        return {(await http.post(url, content=b"{}", headers=headers)).status_code for _ in range(50)}

    async with answering(rig, front, whole()) as provider, httpx.AsyncClient() as http:
        statuses = await asyncio.gather(*(knock(http) for _ in range(20)))

        assert set().union(*statuses) == {401}
        assert provider.connections == 0
    assert await lookups(rig) - before == 1


async def lookups(rig: GatewayRig) -> int:
    """How often Postgres was asked for a key by its hash; its processes tell when they end."""
    mine = "application_name IN ('kontor-gateway', 'kontor-gateway-listen') AND datname = current_database()"
    gone = await rig.rows(f"SELECT pid FROM pg_stat_activity WHERE {mine} AND pg_terminate_backend(pid)")  # noqa: S608

    async def all_ended() -> bool:
        alive = await rig.rows("SELECT pid FROM pg_stat_activity")
        return not {row["pid"] for row in gone} & {row["pid"] for row in alive}

    await eventually(all_ended)
    sql = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'uq_gateway_keys_key_hash'"
    [row] = await rig.rows(sql)
    return int(row["idx_scan"])


NO_ANSWERS: list[bytes | Script] = [
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\na: " + b"b" * 200_000,
    b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5_000,
    hangs_up,
]


async def test_after_every_provider_that_breaks_http_nothing_is_left_open_and_the_next_call_works(
    rig: GatewayRig, front: Front
) -> None:
    async with answering(
        rig, front, once(whole()), *NO_ANSWERS, whole() + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    ) as provider:
        answers = [
            (await rig.post(chat("Hallo"))).json()["choices"][0]["message"]["content"]
            for _ in range(len(NO_ANSWERS) + 3)
        ]

        good = ANSWER["choices"][0]["message"]["content"]  # type: ignore[index]
        assert answers == [good, *[PROVIDER_DOWN.de] * len(NO_ANSWERS), good, good]

        async def all_are_closed() -> bool:
            return not provider.open

        await eventually(all_are_closed)
    outcomes = [event["outcome"] for event in await rig.events()]
    assert outcomes.count("answered") == 3
    assert len(outcomes) == len(NO_ANSWERS) + 3
