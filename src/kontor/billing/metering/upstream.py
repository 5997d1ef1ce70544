"""The gateway's HTTP/1.1 client to one provider.

Owns the pool of connections, TLS with verification, and timeouts. A connection that the provider had
closed while it idled is replaced once, only if no byte of a response had come. Never retries otherwise: whether a
call may be made again is the caller's decision. Source: gateway page (measured against aiohttp and httpx).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from kontor.billing.metering.connection import Connection, CutOff, NoAnswer, NotConnected, Slow


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that each part of a call may take."""

    connect_s: float = 5.0
    first_byte_s: float = 110.0
    between_chunks_s: float = 60.0
    total_s: float = 600.0
    idle_s: float = 50.0


class Upstream:
    """Connections to one origin. `base_url` may have a path, which comes before that of each request."""

    def __init__(self, base_url: str, *, timeouts: Timeouts | None = None, most_idle: int = 512) -> None:
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"not an HTTP URL: {base_url!r}")
        self.timeouts = timeouts or Timeouts()
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._host, self._port = url.hostname, url.port or (443 if self._tls else 80)
        self._prefix = url.path.rstrip("/")
        self._authority = url.netloc.rpartition("@")[2]
        self._most_idle = most_idle
        self._idle: deque[tuple[float, Connection]] = deque()

    def url(self, path: str) -> str:
        """The whole address of a path, as a signature covers it."""
        return f"{'https' if self._tls else 'http'}://{self._authority}{self._prefix}{path}"

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> "Response":
        """The response's head has come; read its body from it. Raises UpstreamError."""
        head = self._head(path, headers, len(body))
        now = monotonic()
        deadline = now + self.timeouts.total_s
        while (connection := self._reuse(now)) is not None:
            try:
                await connection.request(head + body, self.timeouts.first_byte_s)
            except NoAnswer:
                connection.close()
                if connection.has_received:
                    raise
                break  # it had been closed while it idled
            except BaseException:
                connection.close()
                raise
            return Response(self, connection, deadline)
        connection = await self._connect()
        try:
            await connection.request(head + body, self.timeouts.first_byte_s)
        except BaseException:
            connection.close()
            raise
        return Response(self, connection, deadline)

    async def close(self) -> None:
        """Idle connections are closed."""
        while self._idle:
            self._idle.pop()[1].close()

    def take_back(self, connection: Connection) -> None:
        """A connection whose response was read to the end serves the next request."""
        if len(self._idle) < self._most_idle and connection.is_reusable:
            self._idle.append((monotonic(), connection))
        else:
            connection.close()

    def _reuse(self, now: float) -> Connection | None:
        """The connection used last, if it is still good; older ones than `idle_s` are closed."""
        while self._idle and now - self._idle[0][0] > self.timeouts.idle_s:
            self._idle.popleft()[1].close()
        while self._idle:
            connection = self._idle.pop()[1]
            if connection.is_reusable and not connection.has_unread:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeouts.connect_s):
                _, connection = await loop.create_connection(
                    Connection,
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except (OSError, TimeoutError) as error:
            raise NotConnected(f"no connection to {self._host}:{self._port}: {error!r}") from error
        return connection

    def _head(self, path: str, headers: Mapping[str, str], length: int) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return (
            f"POST {self._prefix}{path} HTTP/1.1\r\nhost: {self._authority}\r\naccept-encoding: identity\r\n"
            f"user-agent: kontor-gateway\r\ncontent-length: {length}\r\n{lines}\r\n"
        ).encode("latin-1")


class Upstreams:
    """One client for each provider's base URL, made when it is first needed and kept over changes of the catalogue."""

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts
        self._known: dict[str, Upstream] = {}

    def of(self, base_url: str) -> Upstream:
        """The client. Raises ValueError for what is no HTTP URL."""
        known = self._known.get(base_url)
        if known is None:
            known = self._known[base_url] = Upstream(base_url, timeouts=self._timeouts)
        return known

    async def close(self) -> None:
        """Idle connections are closed."""
        for upstream in self._known.values():
            await upstream.close()


class Response:
    """A response whose head has come. Leave it with `async with`: what was not read to the end is closed."""

    def __init__(self, upstream: Upstream, connection: Connection, deadline: float) -> None:
        self._upstream = upstream
        self._connection = connection
        self._deadline = deadline
        self.status = connection.status
        self.headers = connection.headers

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.headers.get(b"content-type", b"").lower().startswith(b"text/event-stream")

    @property
    def is_encoded(self) -> bool:
        """Whether the body is compressed or otherwise not what we asked for, which was `identity`."""
        return self.headers.get(b"content-encoding", b"").lower() not in {b"", b"identity"}

    async def chunk(self) -> bytes:
        """The next bytes of the body as they came; empty at its end. Raises Slow, CutOff."""
        left_s = self._deadline - monotonic()
        if left_s <= 0:
            raise Slow(f"the answer is not complete after {self._upstream.timeouts.total_s:g} s", had_begun=True)
        return await self._connection.chunk(min(self._upstream.timeouts.between_chunks_s, left_s))

    async def body(self, most_bytes: int) -> bytes:
        """All of the body. Raises Slow, and CutOff also for more than `most_bytes`."""
        parts, size = [], 0
        while data := await self.chunk():
            parts.append(data)
            size += len(data)
            if size > most_bytes:
                raise CutOff(f"the answer is longer than {most_bytes} bytes")
        return b"".join(parts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection.is_complete:
            self._upstream.take_back(self._connection)
        else:
            self._connection.close()
