"""The OpenAPI document as it leaves the house: refusals, logins and examples that FastAPI does not write by itself."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from kontor.app.http.deps import get_visitor
from kontor.app.http.errors import MEDIA_TYPE, Problem

SCHEMES: Final = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-kontor",
        "description": "A member's browser. Its unsafe requests must come from our own pages (Origin).",
    },
    "api_key": {"type": "http", "scheme": "bearer", "description": "A program of the company; its scopes bound it."},
}
# A refusal that each status often stands for: (code, detail).
REFUSALS: Final = {
    400: ("request.malformed", "The request cannot be read. Send valid JSON in UTF-8."),
    401: ("login.required", "Please log in, or send a valid API key."),
    403: ("role.not_allowed", "Your role does not allow this. Ask an owner of your company."),
    404: ("not_found", "There is no such thing here. Check the address, or switch to another company."),
    409: ("tenant.not_possible", "This is not possible in the company's present state."),
    410: ("link.expired", "This link has expired. Please ask for a new one."),
    412: ("etag.changed", "Somebody else has changed this meanwhile. Read it again, then change it."),
    413: ("request.too_large", "The request is too large. At most 1 MB is allowed."),
    422: ("request.invalid", "Some values are missing or do not fit; 'errors' says which."),
    428: ("etag.required", "Send the ETag that you have read in the header If-Match."),
    429: ("rate.limited", "Too many attempts. Please try again in 5 minute(s)."),
    503: ("database.unavailable", "The database does not answer just now. Please try again."),
}
_REF: Final = "#/components/schemas/"


def install(app: FastAPI) -> None:
    """`app.openapi()`, and so the served document, is this one."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finished(plain(), app.routes)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way, "Extending OpenAPI"


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A value that fits: the schema's own example, else one made of its parts'; None when a part has none."""
    schema = schemas[schema["$ref"].removeprefix(_REF)] if "$ref" in schema else schema
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("type") == "object":
        made = {name: example_of(part, schemas) for name, part in schema.get("properties", {}).items()}
        required = schema.get("required", [])
        return {name: value for name, value in made.items() if value is not None or name in required}
    if schema.get("type") == "array":
        item = example_of(schema.get("items", {}), schemas)
        return None if item is None else [item]
    return schema.get("default")


def _finished(found: dict[str, Any], routes: Iterable[BaseRoute]) -> dict[str, Any]:
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=_REF + "{model}")
    schemas |= problem.pop("$defs", {})
    schemas["Problem"] = problem
    components["securitySchemes"] = SCHEMES
    known = {(method.lower(), one.path): one for one in _flat(routes) for method in one.methods or ()}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            if _asks(known[method, path].dependant):
                operation["security"] = [{name: []} for name in SCHEMES]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content.setdefault("example", example_of(content["schema"], schemas))
            operation["responses"] = {
                status: _with_example(int(status), response) for status, response in operation["responses"].items()
            }
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return found


def _with_example(status: int, response: dict[str, Any]) -> dict[str, Any]:
    content = response.get("content", {}).get(MEDIA_TYPE)
    if content is None:
        return response
    code, detail = REFUSALS[status]
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": "req_01h455vb4pex5vsknk084sn02q",
    }
    return response | {"content": {MEDIA_TYPE: content | {"example": example}}}


def _asks(dependant: Dependant) -> bool:
    """Whether who sends the request matters somewhere below."""
    return any(one.call is get_visitor or _asks(one) for one in dependant.dependencies)


def _flat(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _flat(router.routes)
