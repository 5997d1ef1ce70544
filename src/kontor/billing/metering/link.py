"""The gateway's connections to Postgres: raw asyncpg with the role `gateway`, for a server that comes and goes.

Translates the driver's errors: DatabaseAway is worth a retry, everything else is a bug.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from kontor.core.postgres import is_outage

_CONNECT_S: Final = 3.0
_COMMAND_S: Final = 15.0


class DatabaseAway(Exception):
    """Postgres does not answer; it may come back."""


class Link:
    """A small pool that is made at the first use and again after an outage."""

    def __init__(self, url: str, *, size: int = 4) -> None:
        self.url = url
        self._size = size
        self._pool: asyncpg.Pool | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """One connection from the pool. Raises DatabaseAway, also for what fails inside."""
        with translated():
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self.url,
                    min_size=0,
                    max_size=self._size,
                    timeout=_CONNECT_S,
                    command_timeout=_COMMAND_S,
                    server_settings={"application_name": "kontor-gateway"},
                )
            async with self._pool.acquire(timeout=_CONNECT_S) as connection:
                yield connection

    async def dedicated(self) -> asyncpg.Connection:
        """A connection of its own, for LISTEN. Raises DatabaseAway."""
        with translated():
            return await asyncpg.connect(
                self.url,
                timeout=_CONNECT_S,
                command_timeout=_COMMAND_S,
                server_settings={"application_name": "kontor-gateway-listen"},
            )

    async def close(self) -> None:
        """All connections are closed."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


class translated:  # noqa: N801 - reads as a word at its callers
    """Driver errors that mean an outage become DatabaseAway."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DatabaseAway):
            return
        is_driver = isinstance(error, asyncpg.InterfaceError | asyncpg.PostgresError)
        # InternalClientError: the server hung up while asyncpg was giving the connection back.
        if isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError) or (
            is_driver and is_outage(error)
        ):
            raise DatabaseAway(repr(error)) from error
