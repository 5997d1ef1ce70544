"""ASGI applications on a free port of this machine, for tests that need a real socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from support.eventually import eventually_sync


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[str]:
    """The application's base URL, on a free port unless one is named; it ends with the block."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="auto", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually_sync(lambda: server.started, what="the server")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
