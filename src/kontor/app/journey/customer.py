"""The customer's browser and program: requests, what a refusal says, and bounded waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from kontor.app.journey.answers import Seen
from kontor.app.journey.failed import StepFailed
from kontor.core.tls import authorities

T = TypeVar("T")
REQUEST_TIMEOUT_S: Final = 60.0
ANSWER_TIMEOUT_S: Final = 180.0
POLL_S: Final = 0.1


class _Refusal(Seen):
    code: str
    detail: str


class Customer:
    """One visitor of the portal (`browser`: cookies and Origin), its program (`program`: an API key), its mailbox.

    `stranger` is somebody without any login.
    """

    def __init__(self, url: str, outbox: str, language: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url.rstrip("/")
        self.outbox_url = outbox.rstrip("/")
        own = {"accept-language": language, "user-agent": "kontor-journey", **(headers or {})}
        parts = urlsplit(self.url)
        origin = {"origin": f"{parts.scheme}://{parts.netloc}"}
        self.browser = _client(self.url, own | origin)
        self.program = _client(self.url, own, ANSWER_TIMEOUT_S)
        self.stranger = _client(self.url, own)
        self.mailbox = _client(self.outbox_url, {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in (self.browser, self.program, self.stranger, self.mailbox):
            await client.aclose()

    def use_key(self, secret: str) -> None:
        """The program holds this key from now on."""
        self.program.headers["authorization"] = f"Bearer {secret}"


def _client(url: str, headers: Mapping[str, str], timeout_s: float = REQUEST_TIMEOUT_S) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, verify=authorities(), trust_env=False)


async def ask(client: httpx.AsyncClient, method: str, path: str, shape: type[T], **request: Any) -> T:
    """The answer in its form. Raises StepFailed with the problem's code and sentence, or ours."""
    return read(await send(client, method, path, **request), shape)


async def send(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response:
    """A successful answer. Raises StepFailed."""
    return expected(await status_of(client, method, path, **request))


async def status_of(client: httpx.AsyncClient, method: str, path: str, **request: Any) -> httpx.Response:
    """Any answer, also a refusal. Raises StepFailed when there is none."""
    try:
        return await client.request(method, path, **request)
    except httpx.HTTPError as error:
        raise _no_answer(client, method, path, error) from error


def expected(response: httpx.Response) -> httpx.Response:
    """The same when it is a success. Raises StepFailed."""
    if response.is_error:
        raise _refused(response)
    return response


@asynccontextmanager
async def streamed(client: httpx.AsyncClient, path: str, **request: Any) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a streaming answer. Raises StepFailed."""
    try:
        async with client.stream("POST", path, **request) as response:
            if response.is_error:
                await response.aread()
                raise _refused(response)
            yield response.aiter_lines()
    except httpx.HTTPError as error:
        raise _no_answer(client, "POST", path, error) from error


def read(response: httpx.Response, shape: type[T]) -> T:
    """The body in its form. Raises StepFailed."""
    return read_json(response.content, shape, f"{response.request.method} {response.request.url.path}")


def read_json(content: bytes, shape: type[T], what: str) -> T:
    """The JSON in its form. Raises StepFailed, which names `what` and the first member that does not fit."""
    try:
        return TypeAdapter(shape).validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "as a whole"
        raise StepFailed("journey.answer", f"{what} has another form: {where}: {first['msg']}") from error


async def until(check: Callable[[], Awaitable[T | None]], *, within_s: float, otherwise: Callable[[], str]) -> T:
    """The first result that is not None. Raises StepFailed with the sentence of `otherwise` after the deadline."""
    deadline = time.monotonic() + within_s
    while (found := await check()) is None:
        if time.monotonic() > deadline:
            raise StepFailed("journey.timeout", f"Waited {within_s:g} s: {otherwise()}")
        await asyncio.sleep(POLL_S)
    return found


def _refused(response: httpx.Response) -> StepFailed:
    request = f"{response.request.method} {response.request.url.path}"
    try:
        problem = _Refusal.model_validate_json(response.content)
    except ValidationError:
        return StepFailed(f"http.{response.status_code}", f"{request} was refused: {response.text[:200]}")
    return StepFailed(problem.code, f"{problem.detail} ({request}: {response.status_code})")


def _no_answer(client: httpx.AsyncClient, method: str, path: str, error: httpx.HTTPError) -> StepFailed:
    where = f"{method} {str(client.base_url).rstrip('/')}{path}"
    return StepFailed("journey.no_answer", f"{where}: {error or type(error).__name__}")
