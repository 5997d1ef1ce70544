"""Refusals as HTTP: one table from kind to status, every 4xx and 5xx as problem+json (RFC 9457)."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Lang, Text, as_lang, negotiate
from kontor.core.telemetry import request_id

log = structlog.get_logger(__name__)

STATUS: Final = {
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.NOT_POSSIBLE: HTTPStatus.CONFLICT,
    Kind.GONE: HTTPStatus.GONE,
    Kind.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    Kind.PRECONDITION_REQUIRED: HTTPStatus.PRECONDITION_REQUIRED,
    Kind.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Kind.LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Kind.PAYMENT_REQUIRED: HTTPStatus.PAYMENT_REQUIRED,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

MEDIA_TYPE: Final = "application/problem+json"

_FROM_FRAMEWORK: Final = {
    400: (
        "request.malformed",
        Text(
            de="Die Anfrage ist nicht lesbar. Senden Sie gültiges JSON in UTF-8.",
            en="The request cannot be read. Send valid JSON in UTF-8.",
        ),
    ),
    404: (
        "not_found",
        Text(
            de="Das gibt es hier nicht. Prüfen Sie die Adresse.",
            en="There is no such thing here. Check the address.",
        ),
    ),
    405: (
        "request.method_not_allowed",
        Text(
            de="Diese Adresse kennt die Methode nicht; welche sie kennt, steht im Kopf „Allow“.",
            en="This address does not know the method; the 'Allow' header says which it knows.",
        ),
    ),
    415: (
        "request.media_type",
        Text(
            de="Dieser Inhaltstyp wird nicht verstanden. Senden Sie application/json.",
            en="This media type is not understood. Send application/json.",
        ),
    ),
}
_UNKNOWN: Final = (
    "request.refused",
    Text(de="Die Anfrage wurde abgelehnt.", en="The request was refused."),
)
_BROKEN: Final = Text(
    de="Das hätte nicht passieren dürfen; wir sehen es uns an. Nennen Sie uns bitte die Kennung „instance“.",
    en="This should not have happened; we are looking into it. Please tell us the id under 'instance'.",
)
_INVALID: Final = Text(
    de="Einige Angaben fehlen oder passen nicht; welche, steht unter „errors“.",
    en="Some values are missing or do not fit; 'errors' says which.",
)


class FieldError(BaseModel):
    """One value that does not fit."""

    field: str = Field(examples=["body.email"])
    message: str = Field(examples=["value is not a valid email address"])


class Problem(BaseModel):
    """A refusal (RFC 9457). `code` is stable; `detail` says what to do."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not_found"])
    detail: str = Field(examples=["There is no such thing here. Check the address."])
    instance: str | None = Field(None, examples=["req_01h455vb4pex5vsknk084sn02q"])
    errors: list[FieldError] | None = None


def lang_of(request: Request) -> Lang:
    """The language of the caller: chosen in the portal, else by Accept-Language."""
    return as_lang(request.cookies.get("lang")) or negotiate(request.headers.get("accept-language"))


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The response of a refusal."""
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        instance=request_id(),
        errors=list(errors) if errors else None,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def from_domain(error: DomainError, lang: Lang) -> JSONResponse:
    """A domain's refusal as a response."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="kontor"'
    return problem(STATUS[error.kind], error.code, error.sentence(lang), headers=headers)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: which refusals it can give. app/http/openapi.py adds their schema and examples."""
    described = sorted({400, 401, 403, 404, 413, 422, 429, 503, *statuses})
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in described}


def _as_it_is(_: Request, response: JSONResponse) -> Response:
    return response


def install(app: FastAPI, shown: Callable[[Request, JSONResponse], Response] = _as_it_is) -> None:
    """Every error of this app is answered as a problem; `shown` may draw it for whoever looks with a browser."""

    async def domain_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)  # noqa: S101 - registered for this class
        if error.kind is Kind.UNAVAILABLE:
            log.warning("request.unavailable", code=error.code, cause=repr(error.__cause__))
        return shown(request, from_domain(error, lang_of(request)))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        code, text = _FROM_FRAMEWORK.get(error.status_code, _UNKNOWN)
        return shown(
            request, problem(error.status_code, code, text(lang_of(request)), headers=dict(error.headers or {}))
        )

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        found = error.errors()
        if any(item["type"] == "json_invalid" for item in found):
            code, text = _FROM_FRAMEWORK[400]
            return shown(request, problem(400, code, text(lang_of(request))))
        errors = [
            FieldError(field=".".join(str(part) for part in item["loc"]), message=str(item["msg"])) for item in found
        ]
        return shown(request, problem(422, "request.invalid", _INVALID(lang_of(request)), errors=errors))

    async def broken(request: Request, error: Exception) -> Response:
        log.error("request.failed", exc_info=error)
        return shown(request, problem(500, "internal", _BROKEN(lang_of(request))))

    app.add_exception_handler(DomainError, domain_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)
