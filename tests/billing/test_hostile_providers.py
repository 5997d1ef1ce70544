"""Providers that break HTTP, lie about themselves or never end: who answers instead, and what is written down."""

import asyncio
import gzip

import orjson
import pytest

from kontor.billing.metering import forward
from kontor.billing.metering.forward import ProviderFailed
from kontor.billing.metering.usage import MOST_TOKENS, Outcome, Source
from support.eventually import eventually
from support.forwarding import ANSWER, CHUNK, STREAM_HEAD, Providers, hangs_up, streams, whole
from support.scripted import Script

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BODY = orjson.dumps(ANSWER)
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
PACKED = gzip.compress(BODY)
CHUNKED_STREAM = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n")
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}\n\n'
DONE = b"data: [DONE]\n\n"
EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"


def then_ends(answer: bytes) -> Script:
    """Sends this and closes the connection."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return play


def is_silent_after(beginning: bytes) -> Script:
    """Sends this, and keeps the connection."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        await reader.read(-1)

    return play


def for_ever(head: bytes, again: bytes, pause_s: float = 0) -> Script:
    """Sends the head, and then the same until nobody listens any more."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return play


BROKEN = [
    pytest.param(then_ends(b"HTTP/1.1 200 OK\r\ncontent-len"), Outcome.FAILED, id="ends-in-its-head"),
    pytest.param(then_ends(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"), Outcome.FAILED, id="ends-before-its-body"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01", Outcome.FAILED, id="tls"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", Outcome.FAILED, id="ssh"),
    pytest.param(b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\n" + BODY, Outcome.FAILED, id="http2"),
    pytest.param(b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\n" + BODY, Outcome.FAILED, id="status-of-four-digits"),
    pytest.param(OK + LENGTH + CHUNKED + b"\r\n0\r\n\r\n", Outcome.FAILED, id="length-and-chunks"),
    pytest.param(OK + LENGTH + LENGTH + b"\r\n" + BODY, Outcome.FAILED, id="the-same-length-twice"),
    pytest.param(OK + b"content-length: -5\r\n\r\n" + BODY, Outcome.FAILED, id="negative-length"),
    pytest.param(OK + b"content-length: 0x9\r\n\r\n" + BODY, Outcome.FAILED, id="hex-length"),
    pytest.param(OK + b"content-length: 99999999999999999999\r\n\r\n" + BODY, Outcome.FAILED, id="endless-length"),
    pytest.param(OK + b"a: \x00\r\n" + LENGTH + b"\r\n" + BODY, Outcome.FAILED, id="nul-in-a-header"),
    pytest.param(for_ever(OK, b"a: b\r\n"), Outcome.FAILED, id="headers-without-end"),
    pytest.param(for_ever(OK + b"a: ", b"b" * 1000), Outcome.FAILED, id="a-header-without-end"),
    pytest.param(for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), Outcome.FAILED, id="only-1xx"),
    pytest.param(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", Outcome.FAILED, id="101"),
    pytest.param(OK + CHUNKED + b"\r\nnonsense\r\n", Outcome.CUT, id="no-chunk-size"),
    pytest.param(OK + CHUNKED + b"\r\n2\r\n{}x\r\n0\r\n\r\n", Outcome.CUT, id="chunk-longer-than-its-size"),
    pytest.param(OK + CHUNKED + b"\r\nffffffffffffffffff\r\n", Outcome.CUT, id="chunk-size-without-end"),
    pytest.param(OK + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n", Outcome.CUT, id="negative-chunk-size"),
    pytest.param(for_ever(OK + CHUNKED + b"\r\n2;a=", b"b" * 9000), Outcome.CUT, id="an-extension-without-end"),
    pytest.param(for_ever(OK + CHUNKED + b"\r\n2\r\n{}\r\n0\r\na: ", b"b" * 9000), Outcome.CUT, id="endless-trailer"),
    pytest.param(then_ends(OK + LENGTH + b"\r\n" + BODY[:-1]), Outcome.CUT, id="ends-in-its-body"),
    pytest.param(then_ends(OK + CHUNKED + b"\r\n2\r\n{}\r\n"), Outcome.CUT, id="ends-before-its-last-chunk"),
    pytest.param(for_ever(OK + b"content-length: 1000\r\n\r\n", b" ", 0.05), Outcome.CUT, id="drips"),
]


@pytest.mark.parametrize(("bad", "outcome"), BROKEN)
async def test_who_breaks_the_rules_is_replaced_counted_once_and_not_called_over_the_same_connection(
    providers: Providers, bad: bytes | Script, outcome: Outcome
) -> None:
    route = await providers.route([bad, whole()], whole())

    first, second = await providers.ask(route), await providers.ask(route)

    for seen in (first, second):
        assert (seen.status, orjson.loads(seen.body)) == (200, ANSWER)
    assert providers.tries == [("a", outcome), ("b", Outcome.ANSWERED), ("a", Outcome.ANSWERED)]
    assert providers.calls[0].tokens.source is Source.ESTIMATED
    assert providers.known[0].connections == 2

    async def only_the_good_ones_are_open() -> bool:
        return [len(provider.open) for provider in providers.known] == [1, 1]

    await eventually(only_the_good_ones_are_open)


NO_ANSWERS = [
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="nothing"),
    pytest.param(whole(["no", "object"]), id="another-json"),
    pytest.param(OK + b"content-length: 6\r\n\r\n<html>", id="a-web-page"),
    pytest.param(OK + b'content-length: 7\r\n\r\n{"\xff":1}', id="invalid-utf-8"),
    pytest.param(OK + b"content-length: 4000\r\n\r\n" + b"[" * 2000 + b"]" * 2000, id="nested-too-deeply"),
    pytest.param(OK + b"content-encoding: br\r\ncontent-length: %d\r\n\r\n" % len(PACKED) + PACKED, id="packed"),
    pytest.param(whole(status="201 Created"), id="another-success"),
    pytest.param(whole(status="206 Partial Content"), id="a-part"),
]


@pytest.mark.parametrize("bad", NO_ANSWERS)
async def test_what_is_no_answer_to_a_model_is_not_passed_on(providers: Providers, bad: bytes) -> None:
    seen = await providers.ask(await providers.route(bad, whole()))

    assert (seen.status, orjson.loads(seen.body)) == (200, ANSWER)
    assert providers.tries == [("a", Outcome.CUT), ("b", Outcome.ANSWERED)]
    assert providers.calls[0].tokens.source is Source.ESTIMATED
    assert providers.calls[0].tokens.output == 0


EMPTY_STREAMS = [
    pytest.param(streams(), id="nothing"),
    pytest.param(streams(USAGE), id="nothing-but-usage"),
    pytest.param(then_ends(CHUNKED_STREAM + b"0\r\n\r\n"), id="no-chunk"),
    pytest.param(then_ends(CHUNKED_STREAM + b"6\r\ndata: \r\n"), id="cut-in-its-first-event"),
    pytest.param(for_ever(STREAM_HEAD + b"data: ", b"x" * 65_536), id="a-first-event-without-end"),
    pytest.param(is_silent_after(STREAM_HEAD + b"data: {"), id="silent-in-its-first-event"),
    pytest.param(STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + PACKED, id="packed"),
]


@pytest.mark.parametrize("bad", EMPTY_STREAMS)
async def test_until_something_has_passed_a_stream_is_replaced(providers: Providers, bad: bytes | Script) -> None:
    seen = await providers.ask(await providers.route(bad, streams(CHUNK, DONE)), stream=True)

    assert seen.raw.count(b"HTTP/1.1 200 OK") == 1
    assert seen.body == CHUNK + DONE
    assert providers.tries == [("a", Outcome.CUT), ("b", Outcome.ANSWERED)]


UNREADABLE = [
    pytest.param(b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(PACKED) + PACKED, id="packed"),
    pytest.param(b"transfer-encoding: chunked\r\n\r\n9\r\nThe accou\r\nx", id="cut"),
]


@pytest.mark.parametrize("rest", UNREADABLE)
async def test_an_error_that_could_not_be_read_is_not_passed_on(providers: Providers, rest: bytes) -> None:
    route = await providers.route(b"HTTP/1.1 400 Bad Request\r\n" + rest, whole())

    assert (await providers.ask(route)).body == BODY
    assert providers.tries == [("a", Outcome.REFUSED), ("b", Outcome.ANSWERED)]


HARMLESS = [
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(), id="100"),
    pytest.param(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 9 + whole(), id="a-few-1xx"),
    pytest.param(OK + CHUNKED + b"\r\n%x;a=b\r\n" % len(BODY) + BODY + b"\r\n0\r\nt: u\r\n\r\n", id="trailer"),
    pytest.param(then_ends(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), id="old-http"),
    pytest.param(then_ends(OK + b"\r\n" + BODY), id="ends-with-its-connection"),
    pytest.param(OK + LENGTH + b"content-encoding: identity\r\n\r\n" + BODY, id="identity"),
]


@pytest.mark.parametrize("answer", HARMLESS)
async def test_what_http_permits_is_read(providers: Providers, answer: bytes | Script) -> None:
    seen = await providers.ask(await providers.route(answer))

    assert (seen.status, orjson.loads(seen.body)) == (200, ANSWER)
    assert providers.tries == [("a", Outcome.ANSWERED)]


async def test_bytes_that_nobody_asked_for_are_never_the_answer_to_the_next_request(providers: Providers) -> None:
    async def speaks_by_itself(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole())
        await asyncio.sleep(0.05)
        writer.write(EVIL)
        await reader.read(-1)

    route = await providers.route([whole() + EVIL, speaks_by_itself, whole()])

    answers = []
    for _ in range(3):
        answers.append((await providers.ask(route)).body)
        await asyncio.sleep(0.1)

    assert answers == [BODY] * 3
    assert providers.known[0].connections == 3


USAGES = [
    None,
    "many",
    [],
    7,
    {},
    {"prompt_tokens": -1},
    {"prompt_tokens": "5"},
    {"prompt_tokens": 1e30},
    {"prompt_tokens": "5", "completion_tokens": 7},
    {"prompt_tokens": -5, "completion_tokens": 7},
    {"prompt_tokens": 5, "completion_tokens": 1e30},
    {"prompt_tokens": 5, "completion_tokens": [7]},
    {"completion_tokens": 7},
    {"a": {"b": []}},
]


@pytest.mark.parametrize("usage", USAGES, ids=str)
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_cannot_be_true_is_estimated(providers: Providers, usage: object, *, stream: bool) -> None:
    said = b"data: " + orjson.dumps({"choices": [], "usage": usage}) + b"\n\n"
    route = await providers.route(streams(CHUNK, said, DONE) if stream else whole(ANSWER | {"usage": usage}))

    await providers.ask(route, stream=stream)

    [call] = providers.calls
    assert (call.outcome, call.tokens.source) == (Outcome.ANSWERED, Source.ESTIMATED)
    assert 0 < call.tokens.input < 1000
    assert 0 < call.tokens.output < 1000


@pytest.mark.parametrize("count", [b"NaN", b"Infinity", b"1e999", b"0x10", b"5,,"])
async def test_a_count_that_is_no_json_leaves_a_stream_estimated(providers: Providers, count: bytes) -> None:
    said = b'data: {"choices":[],"usage":{"prompt_tokens":%b,"completion_tokens":1}}\n\n' % count

    await providers.ask(await providers.route(streams(CHUNK, said, DONE)), stream=True)

    [call] = providers.calls
    assert (call.outcome, call.tokens.source) == (Outcome.ANSWERED, Source.ESTIMATED)


async def test_counts_are_bounded_by_each_other(providers: Providers) -> None:
    usage = {
        "prompt_tokens": MOST_TOKENS,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": MOST_TOKENS * 2, "cache_write_tokens": -4},
        "completion_tokens_details": {"reasoning_tokens": 10**9},
    }

    await providers.ask(await providers.route(whole(ANSWER | {"usage": usage})))

    [call] = providers.calls
    assert (call.tokens.input, call.tokens.cached, call.tokens.output, call.tokens.reasoning) == (MOST_TOKENS, 0, 3, 3)


async def test_an_answer_without_end_is_cut_off(providers: Providers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "MOST_ANSWER_BYTES", 1_000_000)
    route = await providers.route(for_ever(OK + b"\r\n", b" " * 65_536), hangs_up)

    with pytest.raises(ProviderFailed):
        await providers.ask(route)

    assert providers.tries == [("a", Outcome.CUT), ("b", Outcome.FAILED)]


async def test_a_stream_of_garbage_passes_as_it_is_and_a_line_without_end_does_not(providers: Providers) -> None:
    garbage = b"data: {broken\n\n: note\n\n\xff\xfe\n\ndata: [1]\n\ndata: null\n\nevent: x\n\n"
    route = await providers.route([streams(garbage, CHUNK), for_ever(STREAM_HEAD + CHUNK + b"data: ", b"x" * 65_536)])

    passed, endless = await providers.ask(route, stream=True), await providers.ask(route, stream=True)

    assert passed.body == garbage + CHUNK
    assert b'"code":"cut"' in endless.body
    assert providers.tries == [("a", Outcome.ANSWERED), ("a", Outcome.CUT)]
