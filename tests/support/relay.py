"""A witness between an assistant and the gateway: passes everything on as it comes and keeps which requests came."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_CONNECTIONS_OWN = {"host", "connection", "transfer-encoding", "content-length"}


class Relay:
    """`paths` are those of all requests, and `bodies` what they said, in their order. `url` may be changed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        route = Route("/{path:path}", self._pass_on, methods=["GET", "POST"])
        self.app = Starlette(routes=[route], lifespan=self._lives)

    def forget(self) -> None:
        """Nothing has come until now."""
        self.paths.clear()
        self.bodies.clear()

    @asynccontextmanager
    async def _lives(self, _: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=120, trust_env=False) as self._http:
            yield

    async def _pass_on(self, request: Request) -> StreamingResponse:
        body = await request.body()
        self.paths.append(request.url.path)
        self.bodies.append(body)
        sent = [(name, value) for name, value in request.headers.items() if name not in _CONNECTIONS_OWN]
        asked = self._http.build_request(request.method, self.url + request.url.path, headers=sent, content=body)
        answer = await self._http.send(asked, stream=True)
        received = {name: value for name, value in answer.headers.items() if name not in _CONNECTIONS_OWN}
        return StreamingResponse(_to_the_end(answer), answer.status_code, received)


async def _to_the_end(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
