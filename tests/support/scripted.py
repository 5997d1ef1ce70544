"""Providers that play scripts: what they send, when they stop, and what they were sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Provider:
    """Plays one script per connection; the last one again for all later connections."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._scripts = list(scripts)
        self.connections = 0
        self.requests: list[bytes] = []
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        self.open.add(writer)
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))
        return self.requests[-1]


@asynccontextmanager
async def provider(*answers: bytes | Script, port: int = 0) -> AsyncIterator[tuple[str, Provider]]:
    """Its base URL and itself. Plain bytes are sent to each request of a connection, which then stays open."""

    def script_of(answer: bytes | Script) -> Script:
        if not isinstance(answer, bytes):
            return answer

        async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await made.request(reader)
                writer.write(answer)

        return play

    made = Provider([script_of(answer) for answer in answers])
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", made
    finally:
        server.close()
        for writer in list(made.open):
            writer.close()
        await asyncio.sleep(0)
