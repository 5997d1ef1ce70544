"""What every request gets: an id, its caller's real address, a bound on its body, safe headers, a line and a metric.

Plain ASGI, so that streams pass through untouched.
"""

import time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import clear_contextvars

from kontor.app.http.errors import lang_of, problem
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, encode, new_id
from kontor.core.telemetry import bind

log = structlog.get_logger("kontor.http")

BODY_LIMIT_BYTES: Final = 1_000_000
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
REQUESTS: Final = Counter("kontor_http_requests_total", "Requests by route and status", ["route", "status"])
SECONDS: Final = Histogram("kontor_http_request_seconds", "Time to the end of the response", ["route"])
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
TOO_LARGE: Final = Text(
    de="Die Anfrage ist zu groß. Erlaubt ist höchstens 1 MB.", en="The request is too large. At most 1 MB is allowed."
)
CROSS_SITE: Final = Text(
    de="Diese Anfrage kam nicht von unserer Seite und wurde zu Ihrem Schutz abgelehnt. Laden Sie die Seite neu.",
    en="This request did not come from our site and was refused for your protection. Reload the page.",
)


class RequestContext:
    """Request id, address behind trusted proxies, safe headers, access log and metrics."""

    def __init__(self, app: ASGIApp, *, trusted_proxies: str, base_url: str) -> None:
        self._app = app
        self._trusted = [ip_network(part.strip()) for part in trusted_proxies.split(",") if part.strip()]
        self._secure = base_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clear_contextvars()
        request_id = encode(PREFIXES["request"], new_id())
        bind(request_id=request_id)
        client = scope.get("client")
        scope.setdefault("state", {})["address"] = real_address(
            client[0] if client else "", Headers(scope=scope).getlist("x-forwarded-for"), self._trusted
        )
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._secure:
                    headers.setdefault("strict-transport-security", "max-age=63072000")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "-")
            took = time.perf_counter() - started
            REQUESTS.labels(route, str(status)).inc()
            SECONDS.labels(route).observe(took)
            log.info("request", method=scope["method"], route=route, status=status, ms=round(took * 1000, 1))


class SameOrigin:
    """Unsafe requests that a browser could be made to send must come from our own pages.

    Sec-Fetch-Site decides where a browser sends it, else Origin; a request with our cookie and neither is refused
    (OWASP cheat sheet on CSRF, "Fetch Metadata headers" with Origin as fallback).
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not self._is_ours(Headers(scope=scope)):
            request = Request(scope)
            await problem(403, "request.cross_site", CROSS_SITE(lang_of(request)))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        if headers.get("authorization", "").lower().startswith("bearer ") and "cookie" not in headers:
            return True
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site == "same-origin" or (site == "none" and origin in {None, self._origin})
        if origin is not None:
            return origin == self._origin
        return "cookie" not in headers


class BodyLimit:
    """No request body is read beyond its bound, announced or not."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        read, started, is_over = 0, False, False

        async def receiving() -> Message:
            nonlocal read, is_over
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                is_over = True
                raise _BodyTooLarge
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            if is_over and not started:
                return  # whoever read the body took our error for a broken one and answers that
            started = True
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        except _BodyTooLarge:
            if started:
                raise
        if is_over and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(413, "request.too_large", TOO_LARGE(lang_of(Request(scope))))(scope, receive, send)


class _BodyTooLarge(Exception):
    pass


def real_address(peer: str, forwarded: list[str], trusted: list[IPv4Network | IPv6Network]) -> str:
    """The address of the client: the last hop of X-Forwarded-For that is not one of our proxies."""
    address = peer
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    while hops and _within(address, trusted):
        address = hops.pop()
    return address if _parsed(address) is not None else peer


def _within(address: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parsed(address: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - IPv4Address | IPv6Address | None
    try:
        return ip_address(address)
    except ValueError:
        return None
