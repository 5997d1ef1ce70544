"""The built-in model's controls, for those who know the token: behaviour to come, counts, requests as they came."""

import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Final

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kontor.app.model.behaviour import Behaviour, Ledger, Script
from kontor.app.model.dialects.dialect import Failure, openai_error
from kontor.app.model.meeting import json
from kontor.app.model.received import Received

_BEHAVIOURS: Final[TypeAdapter[list[Behaviour]]] = TypeAdapter(list[Behaviour])

Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """Routes under `/control`; each asks for the token as a bearer."""

    def __init__(self, token: str, script: Script, ledger: Ledger, received: Received) -> None:
        self._token = token
        self._script = script
        self._ledger = ledger
        self._received = received

    def routes(self) -> list[Route]:
        """What a test can do."""
        return [
            Route("/control/behaviour", self._guarded(self._behave), methods=["POST", "DELETE"]),
            Route("/control/counts", self._guarded(self._count), methods=["GET", "DELETE"]),
            Route("/control/requests", self._guarded(self._show), methods=["GET", "DELETE"]),
        ]

    async def _behave(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._script.forget()
            return Response(status_code=204)
        try:
            self._script.tell(_BEHAVIOURS.validate_json(await request.body()))
        except ValidationError as error:
            return _refused(400, str(error))
        return Response(status_code=204)

    async def _count(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._ledger.forget()
            return Response(status_code=204)
        return json(self._ledger.as_dict())

    async def _show(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._received.forget()
            return Response(status_code=204)
        number = request.query_params.get("last", "20")
        if not re.fullmatch("[0-9]{1,4}", number):
            return _refused(400, "'last' must be a number from 0 to 9999.")
        found = self._received.last(int(number), request.query_params.get("containing", ""))
        return json([kept.as_dict() for kept in found])

    def _guarded(self, control: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not compare_digest(given.encode(), self._token.encode()):
                return _refused(401, "The control token is missing or wrong.")
            return await control(request)

        return guard


def _refused(status: int, why: str) -> Response:
    return json(openai_error(Failure(status, why, is_callers=True)), status)
