"""One request over several deployments: who is tried, what is written down of each try, and what the caller sees."""

import asyncio

import orjson
import pytest

from kontor.billing.metering.forward import ProviderFailed
from kontor.billing.metering.health import FAILURES
from kontor.billing.metering.usage import Outcome, Source
from support.forwarding import (
    ANSWER,
    CHUNK,
    STREAM_HEAD,
    Providers,
    Seen,
    breaks_off,
    hangs_up,
    is_silent,
    streams,
    whole,
)
from support.scripted import Script


async def test_the_first_that_answers_is_the_only_one_that_is_asked(providers: Providers) -> None:
    route = await providers.route(whole(), whole())

    seen = await providers.ask(route)

    assert (seen.status, orjson.loads(seen.body)) == (200, ANSWER)
    assert providers.tries == [("a", Outcome.ANSWERED)]
    assert providers.known[1].connections == 0
    assert [(call.model, call.tokens.input, call.tokens.output) for call in providers.calls] == [("model-a", 5, 2)]


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        (whole({"error": {}}, "503 Service Unavailable"), Outcome.REFUSED),
        (whole({"error": {"code": "insufficient_quota"}}, "429 Too Many Requests"), Outcome.REFUSED),
        (whole({"error": {}}, "401 Unauthorized"), Outcome.REFUSED),
        (whole({"error": {"message": "billing"}}, "400 Bad Request"), Outcome.REFUSED),
        (whole({}, "302 Found"), Outcome.REFUSED),
        (hangs_up, Outcome.FAILED),
        (is_silent, Outcome.TIMEOUT),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-length: 7\r\n\r\nx", Outcome.FAILED),
        (b"garbage\r\n\r\n", Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_fails_is_replaced_before_the_first_byte(
    providers: Providers, bad: bytes | Script, outcome: Outcome, *, stream: bool
) -> None:
    route = await providers.route(bad, streams(CHUNK, b"data: [DONE]\n\n") if stream else whole())

    seen = await providers.ask(route, stream=stream)

    assert seen.status == 200
    assert b"Ja." in seen.body
    assert providers.tries == [("a", outcome), ("b", Outcome.ANSWERED)]


async def test_who_cannot_be_reached_costs_nothing_and_leaves_no_record(providers: Providers) -> None:
    route = await providers.route(None, whole())

    await providers.ask(route)

    assert providers.tries == [("b", Outcome.ANSWERED)]


async def test_a_stream_that_breaks_off_before_its_first_chunk_is_replaced(providers: Providers) -> None:
    route = await providers.route(breaks_off, streams(CHUNK, b"data: [DONE]\n\n"))

    seen = await providers.ask(route, stream=True)

    assert seen.raw.count(b"HTTP/1.1 ") == 1
    assert seen.body == CHUNK + b"data: [DONE]\n\n"
    assert providers.tries == [("a", Outcome.CUT), ("b", Outcome.ANSWERED)]
    assert providers.calls[0].tokens.source is Source.ESTIMATED


async def test_after_the_first_chunk_nobody_else_is_asked(providers: Providers) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        chunked = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(chunked + f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n")
        await writer.drain()

    route = await providers.route(cut, streams(CHUNK))

    seen = await providers.ask(route, stream=True)

    assert seen.body.startswith(CHUNK)
    assert b'"code":"cut"' in seen.body
    assert providers.tries == [("a", Outcome.CUT)]


async def test_a_request_that_is_at_fault_is_told_so_and_not_tried_elsewhere(providers: Providers) -> None:
    fault = {"error": {"message": "'temperature' must be at most 2."}}
    route = await providers.route(whole(fault, "422 Unprocessable Entity"), whole())

    seen = await providers.ask(route)

    assert (seen.status, orjson.loads(seen.body)) == (400, fault)
    assert providers.tries == [("a", Outcome.REFUSED)]
    assert providers.health.open == frozenset()


async def test_a_short_outage_of_all_passes_unseen(providers: Providers) -> None:
    down = whole({}, "503 Service Unavailable")

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (down, whole()):
            await providers.known[0].request(reader)
            writer.write(answer)

    route = await providers.route(then)

    seen = await providers.ask(route)

    assert seen.status == 200
    assert providers.tries == [("a", Outcome.REFUSED), ("a", Outcome.ANSWERED)]


async def test_when_nobody_can_answer_the_caller_has_seen_nothing(providers: Providers) -> None:
    no = whole({}, "403 Forbidden")
    route = await providers.route(no, no)
    seen = Seen({"model": "assistant", "messages": ["x"]})

    with pytest.raises(ProviderFailed):
        await providers.send(route, seen)

    assert seen.raw == b""
    assert providers.tries == [("a", Outcome.REFUSED), ("b", Outcome.REFUSED)]


async def test_a_provider_that_fails_again_and_again_is_left_alone(providers: Providers) -> None:
    route = await providers.route(hangs_up, whole())

    for _ in range(FAILURES + 3):
        await providers.ask(route)

    assert [name for name, _ in providers.tries].count("a") == FAILURES
    assert providers.health.open == {"a"}
