"""The gateway's edge: raw ASGI in front of everything else, because each layer costs more than the work.

Owns routes, keys and refusals; a call itself: forward. Source: openclaw page, "What the gateway answers matters".
"""

from dataclasses import dataclass
from time import time
from typing import Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from kontor.billing.metering import answers
from kontor.billing.metering.answers import SSE, Refusal
from kontor.billing.metering.caller import Caller, CallerGone, Receive, Scope, Send, TooLarge
from kontor.billing.metering.forward import Forwarder, ProviderFailed
from kontor.billing.metering.journal import Journal, JournalFull
from kontor.billing.metering.key_cache import KeyCache
from kontor.billing.metering.keys import Key, bearer
from kontor.billing.metering.providers import ASSISTANT
from kontor.billing.metering.rewrite import Asked, NotAChat, read
from kontor.core.errors import Unavailable
from kontor.core.ids import TenantId, encode, new_id

MOST_BODY_BYTES: Final = 20_000_000

REFUSED: Final = Counter("kontor_gateway_refusals_total", "Requests that reached no provider, by code", ["code"])


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may call a model, and for whom."""

    key: Key
    tenant: TenantId


class Gateway:
    """The ASGI application. `residencies` are the choices of data residency that its provider may serve."""

    def __init__(self, keys: KeyCache, journal: Journal, forwarder: Forwarder, residencies: frozenset[str]) -> None:
        self._keys = keys
        self._journal = journal
        self._forwarder = forwarder
        self._residencies = residencies
        self._models = [ASSISTANT]
        self._started = int(time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Lifespan is the process's own affair."""
        caller = Caller(scope, receive, send)
        path, method = scope["path"], scope["method"]
        try:
            if path == "/v1/chat/completions":
                await (self._chat(caller) if method == "POST" else self._refuse(caller, answers.METHOD, allow="POST"))
            elif path in _GET and method in {"GET", "HEAD"}:
                await _GET[path](self, caller)
            elif path in _GET:
                await self._refuse(caller, answers.METHOD, allow="GET")
            else:
                await self._refuse(caller, answers.NOT_FOUND)
        except Unavailable as error:
            await self._refuse(caller, Refusal(503, error.code, error.text, error.retry_after_s))
        except CallerGone:
            return

    async def _chat(self, caller: Caller) -> None:
        admitted = await self._admit(caller)
        if admitted is None:
            return
        try:
            body = await caller.body(MOST_BODY_BYTES)
            asked = read(body)
        except TooLarge:
            await self._refuse(caller, answers.too_large(MOST_BODY_BYTES), connection="close")
            return
        except NotAChat as error:
            await self._refuse(caller, answers.not_a_chat(str(error)))
            return
        key = admitted.key
        if key.state == "suspended":
            await self._notice(caller, asked, key, answers.KEY_SUSPENDED)
        elif key.residency not in self._residencies:
            await self._notice(caller, asked, key, answers.RESIDENCY_NOT_SERVED)
        elif asked.model not in self._models:
            await self._refuse(caller, answers.model_unknown(400 if key.kind == "instance" else 404))
        else:
            try:
                await self._forwarder.chat(key, admitted.tenant, body, asked, caller)
            except ProviderFailed:
                await self._notice(caller, asked, key, answers.PROVIDER_FAILED)
            except JournalFull as error:
                await self._notice(caller, asked, key, Refusal(503, error.code, error.text, error.retry_after_s))

    async def _admit(self, caller: Caller) -> Admitted | None:
        """Whose call it is; None when it has been refused. Raises KeysUnavailable."""
        key_hash = bearer(caller.headers.get(b"authorization"))
        key = await self._keys.find(key_hash) if key_hash is not None else None
        if key is None:
            await self._refuse(caller, answers.KEY_UNKNOWN if key_hash else answers.KEY_MISSING)
            return None
        caller.language = key.language
        if key.is_revoked:
            await self._refuse(caller, answers.KEY_REVOKED if key.kind == "instance" else answers.KEY_UNKNOWN)
            return None
        if key.tenant is None:
            await self._refuse(caller, answers.KEY_UNASSIGNED)
            return None
        return Admitted(key, key.tenant)

    async def _notice(self, caller: Caller, asked: Asked, key: Key, refusal: Refusal) -> None:
        """A refusal that an end user reads: an instance gets it as its assistant's message, a program as an error."""
        if key.kind == "direct":
            await self._refuse(caller, refusal)
            return
        REFUSED.labels(refusal.code).inc()
        text, id_ = refusal.text(key.language), f"chatcmpl-{new_id().hex}"
        if asked.is_stream:
            body = answers.completion_stream(text, id_, asked.model, int(time()), with_usage=asked.wants_usage)
            await caller.answer(body, kind=SSE)
        else:
            await caller.answer(answers.completion(text, id_, asked.model, int(time())))

    async def _refuse(self, caller: Caller, refusal: Refusal, **headers: str) -> None:
        REFUSED.labels(refusal.code).inc()
        await caller.refuse(refusal, x_request_id=encode("req", new_id()), **headers)

    async def _list_models(self, caller: Caller) -> None:
        if await self._admit(caller) is not None:
            await caller.answer(answers.models(self._models, self._started))

    async def _healthy(self, caller: Caller) -> None:
        await caller.answer(b'{"status":"ok"}')

    async def _ready(self, caller: Caller) -> None:
        """Not ready while calls would be refused: no room for the journal. Postgres may be away for minutes."""
        checks = {"journal": self._journal.has_room(), "postgres": not self._keys.is_away}
        status = 200 if checks["journal"] else 503
        await caller.answer(orjson.dumps({"status": "ok" if status == 200 else "full", **checks}), status=status)  # noqa: PLR2004

    async def _metrics(self, caller: Caller) -> None:
        await caller.answer(generate_latest(), kind=CONTENT_TYPE_LATEST.encode())


_GET: Final = {
    "/v1/models": Gateway._list_models,  # noqa: SLF001 - its own table of routes
    "/healthz": Gateway._healthy,  # noqa: SLF001
    "/readyz": Gateway._ready,  # noqa: SLF001
    "/metrics": Gateway._metrics,  # noqa: SLF001
}
