"""A provider that answers chat completions, or 503 while it is down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from support.scripted import Provider

ANSWER = orjson.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Gern."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
)


class Moody:
    """`is_down` may be changed at any time; `asked` counts the requests that came."""

    def __init__(self) -> None:
        self.url = ""
        self.is_down = False
        self.asked = 0


@asynccontextmanager
async def moody() -> AsyncIterator[Moody]:
    """Listens until the end."""
    made = Moody()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(reader)
            made.asked += 1
            status, body = (b"503 Service Unavailable", b"{}") if made.is_down else (b"200 OK", ANSWER)
            head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            writer.write(head % (status, len(body)) + body)

    server = Provider([play])
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        listening.close()
        for writer in server.open:
            writer.close()
        await asyncio.sleep(0)
