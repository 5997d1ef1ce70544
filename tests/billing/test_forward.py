"""One request over several deployments: who is tried, what is written down of each try, and what the caller sees."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from kontor.billing.metering.caller import Caller
from kontor.billing.metering.catalogue import Deployment
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.forward import Forwarder, Order, ProviderFailed
from kontor.billing.metering.health import FAILURES, Health
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.keys import Key
from kontor.billing.metering.record import Call
from kontor.billing.metering.upstream import Timeouts, Upstreams
from kontor.billing.metering.usage import Outcome, Source
from kontor.core.clock import SystemClock
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, new_id
from support.scripted import Provider, Script, provider

FAST = Timeouts(connect_s=1, first_byte_s=0.2, between_chunks_s=0.2, total_s=5)
ANSWER = {
    "choices": [{"finish_reason": "stop", "message": {"content": "Ja."}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}
CHUNK = b'data: {"choices":[{"delta":{"content":"Ja."}}]}\n\n'


def whole(body: object = ANSWER, status: str = "200 OK") -> bytes:
    data = orjson.dumps(body)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def streams(*events: bytes) -> Script:
    """Sends the events and closes the connection."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM_HEAD + b"".join(events))
        await writer.drain()

    return play


async def hangs_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def is_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n"))
    await writer.drain()


class Seen:
    """A caller that reads everything, and the connection it does that over."""

    date = b""
    is_full = is_lost = False

    def __init__(self, fields: dict[str, Any]) -> None:
        self.raw = b""
        self.asked = Chat().read(orjson.dumps(fields))
        self.caller = Caller(self, "POST", "/v1/chat/completions", {}, is_old=True)

    def write(self, data: bytes) -> None:
        self.raw += data

    async def has_room(self, within_s: float) -> bool:  # noqa: ARG002 - the protocol's
        return True

    def wants(self, request: Caller) -> None:
        """Nothing comes."""

    def has_answered(self, request: Caller) -> None:
        """Nothing follows."""

    @property
    def status(self) -> int:
        return int(self.raw.split()[1])

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


class Providers:
    """A route over scripted providers, and what was written down of each try."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack = stack
        self.journal = Journal(folder)
        self.health = Health()
        self.upstreams = Upstreams(FAST)
        self.forwarder = Forwarder(self.upstreams, self.journal, SystemClock(), health=self.health)
        self.known: list[Provider] = []
        self._ended: list[Call] = []

    async def route(self, *scripts: bytes | Script | Sequence[bytes | Script] | None) -> tuple[Deployment, ...]:
        """A deployment for each script, named a, b, ...; None: nobody listens there."""
        route = []
        for name, script in zip("abcdef", scripts, strict=False):
            plays = [script] if script is None or isinstance(script, bytes) or callable(script) else list(script)
            url, made = await self._stack.enter_async_context(provider(*(one or hangs_up for one in plays)))
            self.known.append(made)
            base = "http://127.0.0.1:1/none" if script is None else url
            route.append(Deployment(name, name, f"model-{name}", base, frozenset({"chat"}), frozenset({"eu"})))
        return tuple(route)

    async def ask(self, route: tuple[Deployment, ...], **more: Any) -> Seen:
        seen = Seen({"model": "assistant", "messages": [{"role": "user", "content": "Hallo"}], **more})
        await self.send(route, seen)
        return seen

    async def send(self, route: tuple[Deployment, ...], seen: Seen) -> None:
        tenant = TenantId(new_id())
        key = Key(GatewayKeyId(new_id()), "instance", InstanceId(new_id()), tenant, "active", "de", is_revoked=False)
        await self.forwarder.send(Order(key, tenant, Chat(), seen.asked, route), seen.caller)

    @property
    def calls(self) -> list[Call]:
        """The calls that are closed, in their order."""
        for batch in self.journal.batches(100):
            self._ended.extend(batch.calls)
            self.journal.committed(batch)
        return self._ended

    @property
    def tries(self) -> list[tuple[str, Outcome]]:
        return [(call.provider, call.outcome) for call in self.calls]


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[Providers]:
    async with AsyncExitStack() as stack:
        made = Providers(stack, tmp_path / "journal")
        try:
            yield made
        finally:
            await made.upstreams.close()
            made.journal.end()


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
