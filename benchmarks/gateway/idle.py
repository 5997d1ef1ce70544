"""What streams cost that say nothing: memory of one gateway process with ten thousand of them."""

import asyncio
import json
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from load import QUESTION
from servers import EVENT, PATH, Target, gateway

from support.processes import free_port

STREAMS: Final = 10_000
_AT_ONCE: Final = 100
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def idle_memory_mb(folder: Path, postgres: str) -> tuple[float, int]:
    """Memory with STREAMS open streams, and how many were really opened.

    One process may have fewer files open than two for each stream: then what each one costs is multiplied.
    """
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    folder.mkdir(mode=0o755)
    provider = free_port()
    with gateway(folder, postgres, provider) as target:
        return asyncio.run(_hold(target, provider, min(STREAMS, (most_files - 200) // 2)))


async def _hold(target: Target, provider: int, streams: int) -> tuple[float, int]:
    assert target.process is not None
    server = await asyncio.start_server(_say_one_event, "127.0.0.1", provider, backlog=4096)
    before = target.process.memory_info().rss
    places = asyncio.Semaphore(_AT_ONCE)
    held = await asyncio.gather(*(_open(target, places) for _ in range(streams)))
    after = target.process.memory_info().rss
    for writer in held:
        writer.transport.abort()
    server.close()
    return (before + (after - before) * STREAMS / streams) / 1e6, streams


async def _open(target: Target, places: asyncio.Semaphore) -> asyncio.StreamWriter:
    """A stream whose first event has come."""
    url = urlsplit(target.url)
    body = json.dumps(QUESTION | {"stream": True}).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    async with places:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nhost: bench\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body
        )
        await reader.readuntil(b"\n\n")
    return writer


async def _say_one_event(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_HEAD + b"%x\r\n%b\r\n" % (len(EVENT), EVENT.encode()))
    with suppress(asyncio.CancelledError):  # the end of the measurement
        await reader.read(-1)
    writer.close()
