"""What the gateway answers to whom.

Owns routes, keys and refusals; the connection: callers; a call itself: forward. Source: openclaw page, "What the
gateway answers matters".
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import time
from typing import Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest

from kontor.billing.metering import answers
from kontor.billing.metering.answers import JSON, SSE, Refusal
from kontor.billing.metering.budgets.spending import Refused, Spending
from kontor.billing.metering.caller import MOST_BODY_BYTES, Caller, TooLarge
from kontor.billing.metering.catalogue import Catalogue
from kontor.billing.metering.content.box import MOST_BYTES
from kontor.billing.metering.content.writer import ContentWriter
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.dialects.dialect import Asked, Dialect, NotUnderstood
from kontor.billing.metering.dialects.embeddings import Embeddings
from kontor.billing.metering.dialects.messages import Messages
from kontor.billing.metering.dialects.responses import Responses
from kontor.billing.metering.forward import Forwarder, Order, ProviderFailed
from kontor.billing.metering.guard import Guard
from kontor.billing.metering.journal import Journal, JournalFull
from kontor.billing.metering.key_cache import KeyCache
from kontor.billing.metering.keys import Key, bearer, key_hash
from kontor.billing.metering.refusals import Refusals
from kontor.core.errors import Unavailable
from kontor.core.ids import TenantId, encode, new_id

DIALECTS: Final[tuple[Dialect, ...]] = (Chat(), Responses(), Messages(), Embeddings())

REFUSED: Final = Counter("kontor_gateway_refusals_total", "Requests that reached no provider, by code", ["code"])


@dataclass(slots=True)
class Admitted:
    """Who may call a model, and for whom."""

    key: Key
    tenant: TenantId


class Gateway:
    """Answers requests. `catalogue` may be replaced while it runs."""

    def __init__(
        self,
        keys: KeyCache,
        journal: Journal,
        forwarder: Forwarder,
        *,
        catalogue: Catalogue,
        spending: Spending,
        guard: Guard,
        content: ContentWriter,
        refusals: Refusals,
        metrics: Callable[[], bytes] = generate_latest,
    ) -> None:
        self.catalogue = catalogue
        self._spending = spending
        self._guard = guard
        self._content = content
        self._refusals = refusals
        self._metrics_text = metrics
        self._keys = keys
        self._journal = journal
        self._forwarder = forwarder
        self._started = int(time())
        self._dialects = {f"/v1{dialect.path}": dialect for dialect in DIALECTS}
        self._gets: dict[str, Callable[[Caller], Awaitable[None]]] = {
            "/v1/models": self._list_models,
            "/healthz": self._healthy,
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }

    async def serve(self, caller: Caller) -> None:
        """One request has its answer. Raises CallerGone."""
        try:
            if (dialect := self._dialects.get(caller.path)) is not None:
                caller.problem = dialect.problem
                if caller.method == "POST":
                    await self._call(caller, dialect)
                else:
                    await self._refuse(caller, answers.METHOD, allow="POST")
            elif (get := self._gets.get(caller.path)) is None:
                await self._refuse(caller, answers.NOT_FOUND)
            elif caller.method in {"GET", "HEAD"}:
                await get(caller)
            else:
                await self._refuse(caller, answers.METHOD, allow="GET")
        except Unavailable as error:
            await self._refuse(caller, Refusal(503, error.code, error.text, error.retry_after_s))

    async def _call(self, caller: Caller, dialect: Dialect) -> None:
        admitted = await self._admit(caller)
        if admitted is None:
            return
        try:
            body = await caller.body()
            asked = dialect.read(body)
            try:
                await self._forward(caller, dialect, asked, admitted, body)
            except Refused as error:
                await self._notice(caller, dialect, asked, admitted.key, error.refusal)
        except TooLarge:
            await self._refuse(caller, answers.too_large(MOST_BODY_BYTES), connection="close")
        except NotUnderstood as error:
            await self._refuse(caller, answers.not_understood(str(error)))

    async def _forward(self, caller: Caller, dialect: Dialect, asked: Asked, admitted: Admitted, body: bytes) -> None:
        """The caller has its answer. Raises Refused, BudgetsUnavailable."""
        key, tenant, guard = admitted.key, admitted.tenant, self._guard
        if key.state == "suspended":
            raise Refused(answers.KEY_SUSPENDED)
        route = self.catalogue.route(asked.model, dialect.name, key.residency)
        if not route:
            raise Refused(self._no_route(dialect, asked, key))
        if (talk := dialect.talk) is not None and guard.prohibits(talk, asked, tenant) is not None:
            raise Refused(answers.PROHIBITED)
        most_output = asked.most_output or self.catalogue.models[asked.model].most_output_tokens
        held = await self._spending.hold(key, tenant, route, len(body), most_output)
        order = Order(key, tenant, dialect, asked, held.route, held.reservation, guard.rules(key), guard.missing(key))
        try:
            if key.content_key is None:
                await self._forwarder.send(order, caller)
            else:
                await self._send_taped(order, caller, body)
        except ProviderFailed as error:
            raise Refused(answers.PROVIDER_FAILED) from error
        except JournalFull as error:
            raise Refused(Refusal(503, error.code, error.text, error.retry_after_s)) from error
        finally:
            self._spending.release(held)

    async def _send_taped(self, order: Order, caller: Caller, body: bytes) -> None:
        """As send; what the caller has sent and received goes to its tenant's content log, however it ends."""
        tape = caller.tape(MOST_BYTES)
        try:
            await self._forwarder.send(order, caller)
        finally:
            caller.untape()
            self._content.put(order, body, tape)

    def _no_route(self, dialect: Dialect, asked: Asked, key: Key) -> Refusal:
        """Why nobody may serve the call."""
        model = self.catalogue.models.get(asked.model)
        is_instance = key.kind == "instance"
        if model is None:
            return answers.model_unknown(is_instance=is_instance)
        if not any(dialect.name in one.speaks for one in model.deployments):
            return answers.dialect_not_spoken(is_instance=is_instance)
        return answers.RESIDENCY_NOT_SERVED

    async def _admit(self, caller: Caller) -> Admitted | None:
        """Whose call it is; None when it has been refused. Raises KeysUnavailable."""
        hashed = bearer(caller.headers.get(b"authorization")) or key_hash(caller.headers.get(b"x-api-key"))
        key = None
        if hashed is not None:
            key = self._keys.at_hand(hashed) or await self._keys.find(hashed)
        if key is None:
            await self._refuse(caller, answers.KEY_UNKNOWN if hashed else answers.KEY_MISSING)
            return None
        caller.language, caller.tenant = key.language, key.tenant
        if not key.is_good():
            await self._refuse(caller, answers.KEY_REVOKED if key.kind == "instance" else answers.KEY_UNKNOWN)
            return None
        if key.tenant is None:
            await self._refuse(caller, answers.KEY_UNASSIGNED)
            return None
        return Admitted(key, key.tenant)

    async def _notice(self, caller: Caller, dialect: Dialect, asked: Asked, key: Key, refusal: Refusal) -> None:
        """A refusal that an end user reads: an instance gets it as its assistant's message, a program as an error."""
        if key.kind == "direct" or (talk := dialect.talk) is None:
            await self._refuse(caller, refusal)
            return
        self._count(caller, refusal)
        text, id_, now = refusal.text(key.language), new_id(), int(time())
        answer, kind = (talk.answer_stream, SSE) if asked.is_stream else (talk.answer, JSON)
        await caller.answer(answer(asked, text, id_.hex, now), kind=kind, x_request_id=encode("req", id_))

    async def _refuse(self, caller: Caller, refusal: Refusal, **headers: str) -> None:
        self._count(caller, refusal)
        await caller.refuse(refusal, x_request_id=encode("req", new_id()), **headers)

    def _count(self, caller: Caller, refusal: Refusal) -> None:
        REFUSED.labels(refusal.code).inc()
        if caller.tenant is not None:
            self._refusals.note(caller.tenant, refusal.code)

    async def _list_models(self, caller: Caller) -> None:
        if (admitted := await self._admit(caller)) is not None:
            names = self.catalogue.names(admitted.key.residency)
            await caller.answer(answers.models(names, self._started))

    async def _healthy(self, caller: Caller) -> None:
        await caller.answer(b'{"status":"ok"}')

    async def _ready(self, caller: Caller) -> None:
        """Not ready while calls would be refused: no room for the journal. Postgres may be away for minutes."""
        checks = {"journal": self._journal.has_room(), "postgres": not self._keys.is_away}
        status = 200 if checks["journal"] else 503
        await caller.answer(orjson.dumps({"status": "ok" if status == 200 else "full", **checks}), status=status)  # noqa: PLR2004

    async def _metrics(self, caller: Caller) -> None:
        await caller.answer(self._metrics_text(), kind=CONTENT_TYPE_LATEST.encode())
