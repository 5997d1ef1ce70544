"""One request over scripted providers: the route, what each try came to, and what the caller saw of it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from kontor.billing.metering.caller import Caller
from kontor.billing.metering.catalogue import Deployment
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.forward import Forwarder, Order
from kontor.billing.metering.health import Health
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.keys import Key
from kontor.billing.metering.record import Call
from kontor.billing.metering.upstream import Timeouts, Upstreams
from kontor.billing.metering.usage import Outcome
from kontor.core.clock import SystemClock
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, new_id
from support.scripted import Provider, Script, provider

FAST = Timeouts(connect_s=1, first_byte_s=0.2, between_chunks_s=0.2, total_s=1)
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
