"""FakeRuntime: keeps the rules of a runtime without processes, for tests and for development without OpenClaw.

Its assistants answer over real HTTP on one port, remember their conversations and count words as tokens. `hook` is
awaited before and after every change, so that a test can cut a caller off at every point.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.runtime import Observation, Observed, RuntimeFailure
from kontor.tenants.provisioning.spec import InstanceSpec

Hook = Callable[[str], Awaitable[None]]
_HEAD_LIMIT: Final = 64 * 1024


async def _no_hook(_: str) -> None:
    return


@dataclass
class FakeInstance:
    """The state of one instance; a test may change it to say what happens to it."""

    spec: InstanceSpec | None
    files: dict[str, str]
    revision: int
    runs: bool = False
    is_ready: bool = False
    failure: tuple[str, str | None] | None = None
    starts: int = 0
    conversations: dict[str, list[str]] = field(default_factory=dict)


class FakeRuntime:
    """All instances in memory. `starts_ready=False` leaves them starting until `become_ready`."""

    def __init__(self, *, hook: Hook = _no_hook, starts_ready: bool = True) -> None:
        self.instances: dict[InstanceId, FakeInstance] = {}
        self.hook = hook
        self.starts_ready = starts_ready
        self.refuses_start: tuple[str, str | None] | None = None
        self.turns = 0
        self._server: asyncio.Server | None = None

    async def close(self) -> None:
        """Nothing listens any more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def ensure(self, spec: InstanceSpec) -> None:
        """It runs. Raises RuntimeFailure when the test said so."""
        await self.hook("ensure:before")
        if self.refuses_start is not None:
            raise RuntimeFailure(*self.refuses_start)
        known = self.instances.setdefault(spec.instance, FakeInstance(None, {}, 0))
        if not known.runs:
            await self._listen()
            known.spec, known.runs, known.failure = spec, True, None
            known.files |= dict(spec.files)
            known.revision = spec.revision
            known.is_ready = self.starts_ready
            known.starts += 1
        await self.hook("ensure:after")

    async def observe(self, instance: InstanceId) -> Observation:
        """What is."""
        await self.hook("observe")
        return self._look(instance)

    async def observe_all(self) -> Mapping[InstanceId, Observation]:
        """Everything that is not absent."""
        await self.hook("observe_all")
        return {instance: self._look(instance) for instance in self.instances}

    async def write_files(self, spec: InstanceSpec) -> None:
        """The volume holds the spec's files. Raises RuntimeFailure when there is no such instance."""
        await self.hook("write_files:before")
        known = self.instances.get(spec.instance)
        if known is None:
            raise RuntimeFailure("runtime_unavailable", "there is no such instance")
        known.spec = spec
        known.files |= dict(spec.files)
        known.revision = spec.revision
        await self.hook("write_files:after")

    async def stop(self, instance: InstanceId) -> None:
        """It does not run; the volume stays."""
        await self.hook("stop:before")
        known = self.instances.get(instance)
        if known is not None:
            known.runs, known.is_ready, known.failure = False, False, None
        await self.hook("stop:after")

    async def delete(self, instance: InstanceId) -> None:
        """Nothing of it is left."""
        await self.hook("delete:before")
        self.instances.pop(instance, None)
        await self.hook("delete:after")

    async def list_files(self, instance: InstanceId) -> list[str]:
        """Paths of the volume."""
        known = self.instances.get(instance)
        return [] if known is None else sorted(f"workspace/{name}" for name in known.files)

    async def read_file(self, instance: InstanceId, path: str) -> AsyncIterator[bytes]:
        """A file's bytes. Raises NotFound."""
        known = self.instances.get(instance)
        text = None if known is None else known.files.get(path.removeprefix("workspace/"))
        if text is None:
            raise NotFound
        yield text.encode()

    def become_ready(self, instance: InstanceId) -> None:
        """The start has come to its end."""
        self.instances[instance].is_ready = True

    def crash(self, instance: InstanceId, code: str = "crashed", detail: str | None = None) -> None:
        """The process is gone by itself."""
        known = self.instances[instance]
        known.runs, known.is_ready, known.failure = False, False, (code, detail)

    def _look(self, instance: InstanceId) -> Observation:
        known = self.instances.get(instance)
        if known is None:
            return Observation(Observed.ABSENT)
        if known.failure is not None:
            return Observation(Observed.FAILED, *known.failure)
        if not known.runs:
            return Observation(Observed.STOPPED)
        if not known.is_ready:
            return Observation(Observed.STARTING, memory_mb=1)
        return Observation(Observed.READY, endpoint=f"{self._address()}/{instance}", memory_mb=1)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_LIMIT)

    def _address(self) -> str:
        assert self._server is not None  # noqa: S101 - something runs, so we listen
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path = request.split(" ")[1].split("/")
            known = next((one for key, one in self.instances.items() if str(key) == path[1] and one.runs), None)
            if known is None or known.spec is None:
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            elif headers.get("authorization") != f"Bearer {known.spec.token}":
                writer.write(b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            else:
                await self._answer(writer, known, orjson.loads(body))
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, writer: asyncio.StreamWriter, known: FakeInstance, asked: dict[str, object]) -> None:
        self.turns += 1
        messages = asked["messages"]
        assert isinstance(messages, list)  # noqa: S101 - our own client
        text = str(messages[-1]["content"])
        history = known.conversations.setdefault(str(asked.get("user", "")), [])
        prompt = known.files.get("AGENTS.md", "")
        answer = f"[{len(prompt.split())}] {' | '.join([*history, text])}"
        history.append(text)
        usage = {
            "prompt_tokens": len(prompt.split()) + len(text.split()),
            "completion_tokens": len(answer.split()),
            "total_tokens": len(prompt.split()) + len(text.split()) + len(answer.split()),
        }
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n")
        words = answer.split(" ")
        for number, word in enumerate(words):
            piece = word if number == len(words) - 1 else f"{word} "
            await self.hook("delta")
            writer.write(_event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}))
            await writer.drain()
        writer.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        writer.write(_event({"choices": [], "usage": usage}))
        writer.write(b"data: [DONE]\n\n")


def _event(chunk: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", **chunk}) + b"\n\n"
