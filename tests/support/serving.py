"""ASGI applications on a free port of this machine, for tests that need a real socket."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from support.eventually import WITHIN_S, eventually


class _Server(uvicorn.Server):
    """Starts and ends at once, where uvicorn's own looks every tenth of a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    def end(self) -> None:
        """From another thread."""
        self._loop.call_soon_threadsafe(self._may_end.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._may_end = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._may_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's own
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # what was idle has gone
        try:
            await eventually(self._is_idle, what="the answers are sent")
        finally:
            await self.lifespan.shutdown()

    async def _is_idle(self) -> bool:
        return not self.server_state.connections and not self.server_state.tasks


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[str]:
    """The application's base URL, on a free port unless one is named; it ends with the block."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="auto", ws="none")
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.is_up.wait(WITHIN_S), "the server did not start"
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.end()
        thread.join(timeout=WITHIN_S)
