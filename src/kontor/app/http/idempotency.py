"""`Idempotency-Key` on every POST that creates: a route class that remembers and repeats the answer.

A form of the portal carries its key as the hidden field `once`.
"""

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from kontor.app.container import Container
from kontor.app.http.deps import credential_of
from kontor.core import idempotency
from kontor.core.db import WITH_EVERY_CHANGE, Tx
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

MAX_KEY: Final = 255
_REPEATED: Final = (
    "content-type",
    "location",
    "etag",
    "content-security-policy",
    "cache-control",
    "content-language",
    "vary",
)


class InvalidKey(DomainError):
    """The header is empty, too long or holds control characters."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "idempotency.key_invalid",
            Text(
                de="Der Idempotency-Key muss 1 bis 255 sichtbare ASCII-Zeichen haben.",
                en="The Idempotency-Key must have 1 to 255 visible ASCII characters.",
            ),
        )


class IdempotentRoute(APIRoute):
    """A POST with the header is carried out once in 24 hours; the second answer is the first one's copy.

    Refusals (4xx) change nothing and are not remembered; neither are failures. Cookies are never repeated.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the original one."""
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            key = await _key_of(request) if request.method == "POST" else None
            if key is None:
                return await original(request)
            if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
                raise InvalidKey
            return await _once(request, key, original)

        return handler


async def _key_of(request: Request) -> str | None:
    """The header; of a form its field `once` with its content, because a browser sends no headers of ours.

    Whoever goes back and types something else sends another request.
    """
    key = request.headers.get("idempotency-key")
    if key is None and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        content = await request.body()
        field = (await request.form()).get("once")
        return sha256(content).hexdigest() if isinstance(field, str) and field else None
    return key


async def _once(request: Request, key: str, original: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    container: Container = request.app.state.container
    content = b"\0".join((request.method.encode(), request.url.path.encode(), await request.body()))
    ticket = idempotency.Ticket.of(credential_of(request), key, content)
    async with container.database.system_uow() as tx:
        known = await idempotency.claim(tx, ticket)
    if known is not None:
        return _repeat(known)

    async def mark(tx: Tx) -> None:
        await idempotency.mark_committed(tx, ticket)

    done = False
    token = WITH_EVERY_CHANGE.set(mark)
    try:
        response = await original(request)
        done = response.status_code < 400  # noqa: PLR2004 - a refusal changes nothing
    finally:
        WITH_EVERY_CHANGE.reset(token)
        if not done:
            async with container.database.system_uow() as tx:
                await idempotency.release(tx, ticket)
    async with container.database.system_uow() as tx:
        await idempotency.answer(tx, ticket, _pack(response))
    return response


def _pack(response: Response) -> bytes:
    headers = {name: value for name, value in response.headers.items() if name in _REPEATED}
    return orjson.dumps([response.status_code, headers, bytes(response.body).decode()])


def _repeat(stored: bytes) -> Response:
    status, headers, body = orjson.loads(stored)
    return Response(body, status, {**headers, "idempotent-replayed": "true"})
