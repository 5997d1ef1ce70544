"""The upstream client against a scripted server: what good, broken, slow and vanishing providers do to a call."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kontor.billing.metering.connection import Connection, CutOff, NoAnswer, NotConnected, Slow
from kontor.billing.metering.upstream import Response, Timeouts, Upstream
from support.certificates import self_signed
from support.eventually import eventually
from support.scripted import Provider, Script, provider

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
FAST = Timeouts(connect_s=2, first_byte_s=0.2, between_chunks_s=0.2, total_s=5)


@asynccontextmanager
async def upstream(*answers: bytes | Script, timeouts: Timeouts = FAST) -> AsyncIterator[tuple[Upstream, Provider]]:
    async with provider(*answers) as (url, made):
        client = Upstream(url, timeouts=timeouts)
        try:
            yield client, made
        finally:
            await client.close()


async def call(client: Upstream) -> tuple[Response, bytes]:
    async with await client.post("/x", {"authorization": "Bearer s"}, b"{}") as response:
        return response, await response.body(10_000_000)


async def test_a_request_is_sent_once_and_answered() -> None:
    async with upstream(HELLO) as (client, provider):
        response, body = await call(client)

    assert (response.status, body) == (200, b"hello")
    [request] = provider.requests
    assert request.startswith(b"POST /base/x HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"accept-encoding: identity\r\n" in request
    assert b"authorization: Bearer s\r\n" in request


async def test_a_connection_is_used_again() -> None:
    async with upstream(HELLO) as (client, provider):
        for _ in range(3):
            await call(client)

    assert (provider.connections, len(provider.requests)) == (1, 3)


async def test_an_answer_may_come_in_chunks_and_byte_by_byte() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in (
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        ):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with upstream(drip) as (client, _):
        assert (await call(client))[1] == b"abc"


async def test_an_answer_without_length_ends_with_the_connection() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\nall of it")

    async with upstream(play) as (client, _):
        assert (await call(client))[1] == b"all of it"


async def test_a_connection_that_was_closed_while_idle_is_replaced_without_notice() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        writer.write(HELLO)
        await reader.read(1)  # the next request arrives, and is not answered

    async with upstream(once, HELLO) as (client, provider):
        await call(client)
        assert (await call(client))[1] == b"hello"

    assert provider.connections == 2


@pytest.mark.parametrize("partial", [b"H", b"HTTP/1.1 200 OK\r\n"])
async def test_a_call_is_not_repeated_once_a_byte_of_its_answer_has_come(partial: bytes) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (HELLO, partial):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(answer)
        await writer.drain()

    async with upstream(play, HELLO) as (client, provider):
        await call(client)
        with pytest.raises(NoAnswer):
            await call(client)

    assert provider.connections == 1


async def test_a_fresh_connection_that_ends_unanswered_is_not_tried_again() -> None:
    async def play(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with upstream(play) as (client, provider):
        with pytest.raises(NoAnswer):
            await call(client)

    assert provider.connections == 1


async def test_nobody_listening_means_that_nothing_was_sent() -> None:
    with pytest.raises(NotConnected):
        await call(Upstream("http://127.0.0.1:9", timeouts=FAST))


async def test_a_silent_provider_is_given_up_before_and_after_its_first_byte() -> None:
    async with upstream(b"", OK + b"content-length: 50\r\n\r\nbegun") as (client, _):
        with pytest.raises(Slow) as before:
            await call(client)
        with pytest.raises(Slow) as after:
            await call(client)

    assert (before.value.had_begun, after.value.had_begun) == (False, True)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: 50\r\n\r\nshort",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        OK + b"transfer-encoding: chunked\r\n\r\nnonsense\r\n",
    ],
)
async def test_an_answer_that_ends_early_or_breaks_is_cut_off(answer: bytes) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with upstream(play) as (client, _):
        with pytest.raises(CutOff):
            await call(client)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"\r\n",
    ],
)
async def test_what_is_no_http_is_no_answer(answer: bytes) -> None:
    async with upstream(answer) as (client, _):
        with pytest.raises((NoAnswer, CutOff)):
            await call(client)


async def test_bytes_after_an_answer_do_not_become_the_next_answer() -> None:
    async with upstream(HELLO + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", HELLO) as (client, _):
        for _ in range(2):
            try:
                assert (await call(client))[1] == b"hello"
            except CutOff:
                continue


async def test_what_was_not_read_of_an_answer_is_no_part_of_the_next() -> None:
    async with upstream(OK + b"content-length: 4\r\n\r\nevil", HELLO) as (client, _):
        async with await client.post("/x", {}, b"{}"):
            await asyncio.sleep(0.05)  # all of it has come

        assert (await call(client))[1] == b"hello"


async def test_what_came_before_anybody_looked_is_not_the_answer_to_the_next_request() -> None:
    async with upstream(HELLO) as (client, provider):
        await call(client)
        [writer] = provider.open
        os.write(writer.get_extra_info("socket").fileno(), OK + b"content-length: 4\r\n\r\nevil")

        assert (await call(client))[1] == b"hello"

    assert provider.connections == 2


async def test_an_answer_before_the_first_request_is_not_its_answer() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HELLO)
        await reader.read(-1)

    async with provider(hasty) as (url, _):
        address = urlsplit(url)
        _, connection = await asyncio.get_running_loop().create_connection(Connection, address.hostname, address.port)

        async def has_ended() -> bool:
            return connection._error is not None

        await eventually(has_ended)
        with pytest.raises(NotConnected):
            await connection.request(b"GET / HTTP/1.1\r\n\r\n", 1)


async def test_a_connection_on_which_a_request_is_still_being_sent_takes_no_other() -> None:
    async def answers_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HELLO)
        await asyncio.sleep(3600)

    async with upstream(answers_at_once) as (client, provider):
        for _ in range(2):
            async with await client.post("/x", {}, bytes(20_000_000)) as response:
                assert await response.body(100) == b"hello"

        assert provider.connections == 2


async def test_a_trailer_changes_no_header() -> None:
    chunked = b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ncontent-type: text/html\r\n\r\n"
    async with upstream(OK + chunked) as (client, _):
        response, body = await call(client)

    assert (response.headers[b"content-type"], body) == (b"text/plain", b"hello")


async def test_an_answer_has_its_time_however_much_of_it_is_at_hand() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with (
        upstream(flood, timeouts=Timeouts(total_s=0.1)) as (client, _),
        await client.post("/x", {}, b"") as response,
    ):
        assert await response.chunk()
        await asyncio.sleep(0.15)  # a caller that reads slowly

        with pytest.raises(Slow, match=r"0\.1 s"):
            await response.chunk()


@pytest.mark.parametrize("kind", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8"])
async def test_a_stream_is_known_by_its_type(kind: bytes) -> None:
    async with upstream(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\ncontent-length: 0\r\n\r\n") as (client, _):
        assert (await call(client))[0].is_stream


async def test_a_slow_reader_makes_the_provider_wait() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with upstream(flood) as (client, _), await client.post("/x", {}, b"{}") as response:
        still = -1
        while still != sent:
            still = sent
            await asyncio.sleep(0.05)
        held = response._connection._buffered

    assert held < 600_000
    assert sent < 20_000_000  # what kernel buffers take, not for ever


async def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    """A TLS server with a certificate of its own making."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)

    with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
        await call(Upstream(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=FAST))

    server.close()


async def test_a_certificate_that_is_trusted_is_and_its_connection_serves_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = 0

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                writer.write(HELLO)
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = self_signed(tmp_path)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = await asyncio.start_server(answers, "127.0.0.1", 0, ssl=tls)
    client = Upstream(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=FAST)

    bodies = [(await call(client))[1] for _ in range(3)]
    await client.close()
    server.close()

    assert (bodies, connections) == ([b"hello"] * 3, 1)
