"""The OpenAPI document: what a program's author reads before anything else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from kontor.app.container import Container
from kontor.app.http.openapi import REFUSALS
from kontor.app.main import create_app
from support.databases import MASTER_KEY, roles_of
from support.web import settings_for

NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"
PROBLEM = "application/problem+json"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As it is served, through JSON."""
    settings = settings_for(roles_of(NOWHERE), tmp_path_factory.mktemp("openapi"), MASTER_KEY)
    return json.loads(json.dumps(create_app(Container(settings)).openapi()))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS & set(item):
            yield f"{method.upper()} {path}", item[method]


def test_every_operation_says_what_it_does(document: Any) -> None:
    silent = [name for name, one in operations(document) if not one.get("summary") or not one.get("description")]

    assert silent == []


def test_every_operation_has_an_id_of_its_own(document: Any) -> None:
    ids = [one["operationId"] for _, one in operations(document)]

    assert len(ids) == len(set(ids))


def test_every_body_has_an_example_that_fits(document: Any) -> None:
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            example = content.get("example")
            assert example, f"{name}: no example for {media_type}"
            schema = {**content["schema"], "components": document["components"]}
            wrong = [error.message for error in Draft202012Validator(schema).iter_errors(example)]
            assert wrong == [], f"{name}: {example}"


def test_every_refusal_is_documented_as_a_problem_with_an_example(document: Any) -> None:
    schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    for name, operation in operations(document):
        refusals = {int(code): one for code, one in operation["responses"].items() if int(code) >= 400}
        assert {400, 401, 403, 404, 413, 422, 429, 503} <= set(refusals), name
        for status, response in refusals.items():
            assert list(response["content"]) == [PROBLEM], f"{name}: {status}"
            example = response["content"][PROBLEM]["example"]
            Draft202012Validator(schema).validate(example)
            assert example["status"] == status


def test_the_refusals_that_it_shows_are_ones_that_the_product_gives() -> None:
    source = "".join(file.read_text() for file in Path(create_app.__code__.co_filename).parents[1].rglob("*.py"))

    for code, _ in REFUSALS.values():
        assert source.count(f'"{code}"') > 1, f"nothing but the document knows {code}"


def test_it_says_who_needs_a_login(document: Any) -> None:
    asks = {name for name, one in operations(document) if "security" in one}

    assert set(document["components"]["securitySchemes"]) == {"session", "api_key"}
    assert {"GET /api/v1/tenant", "POST /api/v1/chat/completions", "GET /api/v1/ops/tenants"} <= asks
    assert {"POST /api/v1/signups", "POST /api/v1/sessions"}.isdisjoint(asks)


def test_every_reference_leads_somewhere(document: Any) -> None:
    text = json.dumps(document)

    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"], name
