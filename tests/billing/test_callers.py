"""The caller's side of the gateway in bytes: framing, order, limits, and peers that are slow, gone or hostile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from kontor.billing.metering import callers
from kontor.billing.metering.caller import Caller, TooLarge
from kontor.billing.metering.callers import CallerConnection

MOST = 1000
HOST = b"host: gateway\r\n"
EVIL = b"POST /evil HTTP/1.1\r\n" + HOST + b"content-length: 0\r\n\r\n"


def post(body: bytes = b"hi", *fields: bytes, path: bytes = b"/a") -> bytes:
    lines = b"".join(field + b"\r\n" for field in (b"content-length: %d" % len(body), *fields))
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


def chunked(body: bytes, *fields: bytes) -> bytes:
    lines = b"".join(field + b"\r\n" for field in (b"transfer-encoding: chunked", *fields))
    return b"POST /a HTTP/1.1\r\n" + HOST + lines + b"\r\n" + body


class Rig:
    """A server whose requests are kept, and whose answers say what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.go = asyncio.Event()
        self.go.set()
        self.written = 0
        self.gone = asyncio.Event()
        self.begun = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    def connection(self) -> CallerConnection:
        return CallerConnection(self.serve, self.connections, self.tasks, lambda: b"date: today\r\n")

    async def serve(self, caller: Caller) -> None:
        try:
            body = await caller.body(MOST)
        except TooLarge:
            await caller.answer(b"too large", status=413, connection="close")
            return
        self.seen.append((caller.method, caller.path, body))
        self.begun.set()
        await self.go.wait()
        if caller.path == "/bug":
            raise ValueError("a bug")
        if caller.path == "/cut":
            caller.begin(200, b"text/event-stream")
            await caller.write(b"one")
            raise ValueError("a bug after the first byte")
        if caller.path == "/stream":
            caller.begin(200, b"text/event-stream")
            await caller.write(b"one")
            await caller.write(b"two")
            await caller.end()
        elif caller.path == "/endless":
            caller.begin(200, b"text/event-stream")
            while not caller.is_gone:
                await caller.write(b"x" * 10_000)
                self.written += 10_000
            self.gone.set()
        else:
            await caller.answer(b"%b %b" % (caller.path.encode(), body))

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def say(self, *parts: bytes) -> bytes:
        """What comes back until the connection is closed, which the gateway has to do by itself."""
        reader, writer = await self.open()
        answer = asyncio.ensure_future(to_end(reader))
        for part in parts:
            if answer.done():
                break
            writer.write(part)
            await asyncio.sleep(0.02 if len(parts) > 1 else 0)
        return await answer

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def to_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read(-1)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    server = await asyncio.get_running_loop().create_server(made.connection, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await made.close()
    for task in list(made.tasks):
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


CLOSE = b"connection: close"


async def test_a_request_is_answered_in_one_piece_with_length_and_date(rig: Rig) -> None:
    answer = await rig.say(post(b"hi", CLOSE))

    assert answer == (
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\ncontent-length: 5\r\n"
        b"connection: close\r\n\r\n/a hi"
    )


@pytest.mark.parametrize("size", [1, 7])
async def test_a_request_may_come_in_any_pieces(rig: Rig, size: int) -> None:
    sent = chunked(b"2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n", CLOSE)

    answer = await rig.say(*(sent[at : at + size] for at in range(0, len(sent), size)))

    assert answer.endswith(b"\r\n\r\n/a hiyou")
    assert rig.seen == [("POST", "/a", b"hiyou")]


async def test_pipelined_requests_are_answered_one_after_the_other_in_their_order(rig: Rig) -> None:
    rig.go.clear()
    reader, writer = await rig.open()
    writer.write(b"".join(post(b"%d" % number) for number in range(20)) + post(b"last", CLOSE))
    await asyncio.sleep(0.1)
    at_first = len(rig.seen)
    rig.go.set()

    answer = await to_end(reader)

    assert at_first == 1
    assert [body for _, _, body in rig.seen] == [*(b"%d" % number for number in range(20)), b"last"]
    assert answer.count(b"HTTP/1.1 200 OK") == 21


async def test_more_pipelined_requests_than_anybody_sends_are_refused_after_the_first_ones(rig: Rig) -> None:
    rig.go.clear()
    reader, writer = await rig.open()
    writer.write(post() * 200)
    await asyncio.sleep(0.1)
    rig.go.set()

    answer = await to_end(reader)

    assert answer.count(b"HTTP/1.1 200 OK") == len(rig.seen) < 50
    assert answer.count(b"HTTP/1.1 400 ") == 1


async def test_a_second_request_that_waits_for_its_body_gets_it(rig: Rig) -> None:
    rig.go.clear()
    reader, writer = await rig.open()
    second = post(b"x" * 900, CLOSE)
    writer.write(post() + second[:200])
    await asyncio.sleep(0.05)
    rig.go.set()
    writer.write(second[200:])

    answer = await to_end(reader)

    assert answer.count(b"200 OK") == 2
    assert rig.seen[1][2] == b"x" * 900


async def test_old_http_gets_a_stream_that_ends_with_the_connection(rig: Rig) -> None:
    answer = await rig.say(b"POST /stream HTTP/1.0\r\ncontent-length: 0\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body == b"onetwo"


async def test_a_stream_is_chunked_and_its_connection_serves_the_next_request(rig: Rig) -> None:
    answer = await rig.say(post(b"", path=b"/stream"), post(b"hi", CLOSE))

    assert b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK" in answer


async def test_a_caller_that_asks_first_is_told_to_go_on(rig: Rig) -> None:
    reader, writer = await rig.open()
    writer.write(b"POST /a HTTP/1.1\r\n" + HOST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")

    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    writer.write(b"hi")
    assert (await reader.readuntil(b"/a hi")).startswith(b"HTTP/1.1 200 OK")


SMUGGLED = [
    pytest.param(chunked(b"0\r\n\r\n" + EVIL, b"content-length: 6"), id="length-and-chunks"),
    pytest.param(post(b"", b"transfer-encoding: chunked") + b"0\r\n\r\n" + EVIL, id="chunks-and-length"),
    pytest.param(post(b"", b"content-length: 60") + EVIL, id="two-lengths"),
    pytest.param(post(b"", b"content-length: 0") + EVIL, id="the-same-length-twice"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"content-length: +0\r\n\r\n" + EVIL, id="signed-length"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"content-length: 0x0\r\n\r\n" + EVIL, id="hex-length"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"content-length: 0, 60\r\n\r\n" + EVIL, id="list-of-lengths"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"transfer-encoding: xchunked\r\n\r\n" + EVIL, id="xchunked"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked, x\r\n\r\n" + EVIL, id="not-last"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"transfer-encoding\t: chunked\r\n\r\n" + EVIL, id="tab"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"content-length : 0\r\n\r\n" + EVIL, id="space-before-colon"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"a: b\r\n transfer-encoding: chunked\r\n\r\n" + EVIL, id="fold"),
    pytest.param(b"POST /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL, id="chunks-in-old-http"),
    pytest.param(b"POST /a HTTP/1.1\n" + HOST + b"\n" + EVIL, id="bare-line-feeds"),
    pytest.param(chunked(b"g\r\n\r\n" + EVIL), id="no-chunk-size"),
    pytest.param(chunked(b"fffffffffffffffff\r\n" + EVIL), id="chunk-size-too-large"),
    pytest.param(chunked(b"1\r\nab\r\n0\r\n\r\n" + EVIL), id="chunk-longer-than-its-size"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + b"b: \0\r\ncontent-length: 0\r\n\r\n" + EVIL, id="nul"),
    pytest.param(b"POST /a HTTP/1.1\r\n\r\n" + EVIL, id="no-host"),
    pytest.param(b"POST /a HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + EVIL, id="two-hosts"),
    pytest.param(post(b"", b"connection: upgrade", b"upgrade: h2c") + EVIL, id="h2c"),
    pytest.param(b"CONNECT other:443 HTTP/1.1\r\n" + HOST + b"\r\n" + EVIL, id="connect"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EVIL, id="http2"),
    pytest.param(b"EAT /a HTTP/1.1\r\n" + HOST + b"\r\n" + EVIL, id="no-such-method"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + EVIL, id="tls"),
    pytest.param(post(b"", b"authorization: Bearer a", b"authorization: Bearer b") + EVIL, id="two-keys"),
]


@pytest.mark.parametrize("sent", SMUGGLED)
async def test_what_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(rig: Rig, sent: bytes) -> None:
    answer = await rig.say(sent)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"gateway.broken_http" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "/evil" not in [path for _, path, _ in rig.seen]


async def test_nothing_is_read_after_a_request_that_closes(rig: Rig) -> None:
    answer = await rig.say(post(b"hi", CLOSE) + EVIL)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert rig.seen == [("POST", "/a", b"hi")]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([b"GET /a HTTP/1.1\r\n" + HOST + b"".join(b"a%d: b\r\n" % number for number in range(101)) + b"\r\n"], 431),
        ([b"GET /a HTTP/1.1\r\n" + HOST + b"a: " + b"x" * 70_000 + b"\r\n\r\n"], 431),
        ([b"GET /a HTTP/1.1\r\n" + HOST, *[b"x" * 10_000] * 7], 431),
        ([b"GET /a HTTP/1.1\r\n" + HOST + b"a: ", *[b"x" * 10_000] * 7], 431),
        ([b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"], 414),
    ],
    ids=["many-fields", "a-long-field", "a-name-without-end", "a-value-without-end", "a-long-target"],
)
async def test_heads_are_bounded(rig: Rig, sent: list[bytes], status: int) -> None:
    answer = await rig.say(*sent)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert rig.seen == []


async def test_an_absolute_target_is_read_as_its_path(rig: Rig) -> None:
    assert (await rig.say(b"GET http://other/a?b=c HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n\r\n")).endswith(b"/a ")
    assert rig.seen == [("GET", "/a", b"")]


@pytest.mark.parametrize(
    "sent",
    [post(b"x" * 3_000_000), chunked(b"186a0\r\n" + b"x" * 100_000 + b"\r\n0\r\n\r\n")],
    ids=["announced", "in-chunks"],
)
async def test_a_body_that_is_too_long_is_read_on_so_that_its_sender_sees_the_answer(rig: Rig, sent: bytes) -> None:
    answer = await rig.say(sent)

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_an_answer_before_the_end_of_a_request_is_seen_too(rig: Rig) -> None:
    reader, writer = await rig.open()
    writer.write(b"POST /a HTTP/1.1\r\n" + HOST + b"content-length: 2000000\r\n\r\n")
    for _ in range(20):
        writer.write(b"x" * 100_000)
        await writer.drain()

    assert (await to_end(reader)).startswith(b"HTTP/1.1 413 ")


async def test_a_bug_is_answered_with_500_and_logged_without_the_request(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await rig.say(post(b"geheim", path=b"/bug"))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"gateway.internal" in answer
    assert "gateway.request_failed" in capsys.readouterr().out


async def test_a_stream_that_breaks_off_does_not_look_complete(rig: Rig) -> None:
    reader, writer = await rig.open()
    writer.write(post(b"", path=b"/cut"))

    answer = await to_end(reader)

    assert answer.endswith(b"3\r\none\r\n")


async def test_a_caller_that_goes_away_is_noticed_at_once(rig: Rig) -> None:
    _, writer = await rig.open()
    writer.write(post(b"", path=b"/endless"))
    await rig.begun.wait()
    writer.transport.abort()

    async with asyncio.timeout(10):
        await rig.gone.wait()


async def test_a_caller_that_does_not_read_holds_no_more_than_was_bounded(rig: Rig) -> None:
    _, writer = await rig.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(post(b"", path=b"/endless"))
    before = -1
    while rig.written != before:  # the sockets' own buffers are full
        before = rig.written
        await asyncio.sleep(0.2)

    (connection,) = rig.connections
    waiting = connection._transport.get_write_buffer_size()

    assert 0 < waiting <= callers.WAITING_BYTES + 10_100


async def test_who_reads_nothing_for_long_counts_as_gone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kontor.billing.metering.caller.STALL_S", 0.2)
    _, writer = await rig.open()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(post(b"", path=b"/endless"))

    async with asyncio.timeout(10):
        await rig.gone.wait()


@pytest.mark.parametrize("sent", [b"POST /a HTTP/1.1\r\n", post(b"x" * 100)[:-50]], ids=["half-a-head", "half-a-body"])
async def test_a_request_that_does_not_go_on_is_given_up(
    rig: Rig, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "REQUEST_S", 0.2)

    answer = await rig.say(sent)

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_comes_byte_by_byte_has_a_bound_over_all(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REQUEST_S", 0.3)

    answer = await rig.say(b"GET /a HTTP/1.1\r\na: ", *[b"x"] * 40)

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_is_closed_without_a_word(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REQUEST_S", 0.2)
    monkeypatch.setattr(callers, "IDLE_S", 0.3)

    assert (await rig.say(post())).count(b"HTTP/1.1 ") == 1
    assert await rig.say(b"") == b""


async def test_at_the_end_idle_connections_close_and_busy_ones_after_their_answer(rig: Rig) -> None:
    rig.go.clear()
    idle, _ = await rig.open()
    busy, writer = await rig.open()
    writer.write(post())
    await rig.begun.wait()

    for connection in list(rig.connections):
        connection.shutdown()
    rig.go.set()

    assert await to_end(idle) == b""
    assert (await to_end(busy)).endswith(b"/a hi")
