"""Broken and hostile bodies on every route that takes one: a problem that says what to do, or the text as sent."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from kontor.app.container import Container
from kontor.app.http.openapi import example_of
from kontor.app.main import create_app
from kontor.core.clock import FixedClock
from kontor.core.ids import PREFIXES, TenantId, decode
from kontor.tenants.talk.ask import Desk
from support.databases import MASTER_KEY, in_database, roles_of, sql
from support.operators import operator_login
from support.serving import served
from support.talking import IMPATIENT, ScriptedInstance, ready_assistant
from support.web import Web, settings_for

on_one_loop = pytest.mark.asyncio(loop_scope="module")
NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"
PROBLEM = "application/problem+json"
ULID = "01h455vb4pex5vsknk084sn02q"
MB = 1_000_000
TEXTS = {
    "NUL": "a\0b",
    "control": "a\x1bb\x07",
    "emoji": "Ja 👍🏽 👨‍👩‍👧 🚣",
    "four bytes": "𝔐𝔲̈𝔩𝔩𝔢𝔯 𠮷野家 𓀀",
    "decomposed": unicodedata.normalize("NFD", "Müller & Söhne, Straße"),
    "right to left": "שלום \u202eelloh\u202c",
    "lone surrogate": "a\ud800b",
    "only spaces": " \t ",
    "huge": "ü" * 150_000,
    "markup": "<script>alert(1)</script>{{7*7}}${7*7}'; DROP TABLE tenants;--",
}
VALUES: dict[str, Any] = {
    "huge number": 10**400,
    "huge float": 1e308,
    "negative": -(2**63) - 1,
    "null": None,
    "list": [],
    "object": {},
    "true": True,
}


def document() -> Any:
    made = settings_for(roles_of(NOWHERE), Path("/nonexistent"), MASTER_KEY)
    return json.loads(json.dumps(create_app(Container(made)).openapi()))


DOCUMENT = document()
BODIES = [
    pytest.param(method.upper(), path, operation["requestBody"]["content"]["application/json"], id=f"{method} {path}")
    for path, item in sorted(DOCUMENT["paths"].items())
    for method, operation in sorted(item.items())
    if "application/json" in operation.get("requestBody", {}).get("content", {})
]
# What an example cannot know: the name that confirms an erasure.
OF_THE_COMPANY = {"erasure.not_confirmed"}
every_body = pytest.mark.parametrize(("method", "path", "content"), BODIES)


@dataclass
class World:
    """A company's owner and the operator's staff, each with a browser."""

    owner: httpx.AsyncClient
    staff: httpx.AsyncClient

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """As who may use the route, with what it needs besides a body; each time from another address."""
        headers = {"if-match": '"1"', "x-forwarded-for": next(ADDRESSES), "content-type": "application/json"}
        headers |= request.pop("headers", {})
        url = path
        prefixes = {"tenant_id": "tnt", "conversation_id": "cnv", "membership_id": "mbr", "key_id": "key"}
        for name, prefix in prefixes.items():
            url = url.replace(f"{{{name}}}", f"{prefix}_{ULID}")
        assert "{" not in url, f"{path}: an id is missing"
        who = self.staff if path.startswith("/api/v1/ops/") else self.owner
        if path in {"/api/v1/tenant", "/api/v1/assistant"}:
            headers["if-match"] = (await who.get(path)).headers["etag"]
        return await who.request(method, url, headers=headers, **request)

    async def send_json(self, method: str, path: str, body: Any) -> httpx.Response:
        """JSON with halves of surrogate pairs escaped, as JSON allows."""
        return await self.send(method, path, content=json.dumps(body).encode())


def addresses() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"198.18.{number // 256 % 256}.{number % 256}"


ADDRESSES = addresses()


@pytest.fixture(scope="module")
def own_database(postgres: str, template: str) -> Iterator[str]:
    name = "bad_input"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield in_database(postgres, name)
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    settings = settings_for(
        roles_of(own_database), tmp_path_factory.mktemp("bad"), MASTER_KEY, trusted_proxies="192.0.2.0/24"
    )
    web = Web(settings, FixedClock(datetime(2026, 11, 23, 9, tzinfo=UTC)))
    container = web.container
    await container.desk.close()
    container.desk = Desk(container.database, container.sellers, httpx.AsyncClient(), IMPATIENT)
    async with AsyncExitStack() as stack:
        owner, staff = [await stack.enter_async_context(web.client()) for _ in range(2)]
        instance = stack.enter_context(served(ScriptedInstance().app))
        await operator_login(web, staff)
        company = await web.active(owner, "owner@example.org")
        await ready_assistant(container.database, TenantId(decode(PREFIXES["tenant"], str(company["id"]))), instance)
        yield World(owner, staff)
    await container.close()


def is_clear_problem(answer: httpx.Response) -> bool:
    """A refusal in its form, with a code and a sentence."""
    assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert (body["status"], body["type"]) == (answer.status_code, "about:blank")
    return bool(body["code"] and body["detail"])


def places(schema: dict[str, Any], example: Any) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every text in a body, by its path in the example, with its schema; parts without an example too."""
    schemas = DOCUMENT["components"]["schemas"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for variant in schema.get("anyOf", []):
        yield from places(variant, example)
    if schema.get("type") == "string":
        yield (), schema
    for name, part in schema.get("properties", {}).items():
        for path, found in places(part, example.get(name) if isinstance(example, dict) else None):
            yield (name, *path), found
    if schema.get("type") == "array":
        for path, found in places(schema["items"], example[0] if isinstance(example, list) and example else None):
            yield (0, *path), found


def with_value(example: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The example with another value in one place."""
    if not path:
        return value
    changed, key = deepcopy(example), path[0]
    if isinstance(key, int):
        changed = changed if isinstance(changed, list) and changed else [None]
        changed[key] = with_value(changed[key], path[1:], value)
        return changed
    changed = changed if isinstance(changed, dict) else {}
    changed[str(key)] = with_value(changed.get(key), path[1:], value)
    return changed


@on_one_loop
@every_body
async def test_every_text_comes_back_as_it_was_sent_or_is_refused(
    world: World, method: str, path: str, content: Any
) -> None:
    example = content["example"]
    for place, _ in places(content["schema"], example):
        for name, text in TEXTS.items():
            answer = await world.send_json(method, path, with_value(example, place, text))

            assert answer.status_code < 500, f"{place} {name}: {answer.text}"
            if answer.is_error:
                assert is_clear_problem(answer), f"{place} {name}"
            elif isinstance(returned := value_at(answer, place), str):
                assert text_as_stored(text) in {returned, text_as_stored(returned)}, f"{place} {name}"


@on_one_loop
@pytest.mark.parametrize("field", ["display_name", "system_prompt"])
@pytest.mark.parametrize("name", ["emoji", "four bytes", "decomposed", "right to left", "markup"])
async def test_whatever_people_write_is_kept(world: World, field: str, name: str) -> None:
    text = TEXTS[name][:50]

    changed = await world.send_json("PATCH", "/api/v1/assistant", {field: text})

    assert changed.status_code == 200, changed.text
    assert changed.json()[field] == unicodedata.normalize("NFC", text)
    assert (await world.owner.get("/api/v1/assistant")).json()[field] == changed.json()[field]


def value_at(answer: httpx.Response, place: tuple[str | int, ...]) -> Any:
    found = answer.json() if answer.content else None
    for key in place:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def text_as_stored(text: str) -> str:
    """Composed, with white space folded: the only changes that a text may meet."""
    return " ".join(unicodedata.normalize("NFC", text).split())


@on_one_loop
@every_body
async def test_every_value_of_another_kind_is_refused_or_taken_for_what_it_is(
    world: World, method: str, path: str, content: Any
) -> None:
    example = content["example"]
    for place in example:
        for name, value in VALUES.items():
            answer = await world.send_json(method, path, {**example, place: value})

            assert not answer.is_error or is_clear_problem(answer), f"{place} {name}"


@on_one_loop
@every_body
async def test_what_is_no_json_is_refused(world: World, method: str, path: str, content: Any) -> None:
    whole = json.dumps(content["example"]).encode()
    for broken in (
        b"",
        b"{",
        whole[:-1],
        whole + b"}",
        b"\xff\xfe" + whole,
        whole.replace(b'"', b'"\xc3\x28', 1),
        b'{"a": NaN}',
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"unknown": 1}',
    ):
        answer = await world.send(method, path, content=broken)

        assert is_clear_problem(answer), broken[:40]


@on_one_loop
@every_body
async def test_another_media_type_is_refused(world: World, method: str, path: str, content: Any) -> None:
    for media_type in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "?",
    ):
        whole = json.dumps(content["example"]).encode()

        answer = await world.send(method, path, content=whole, headers={"content-type": media_type})

        assert is_clear_problem(answer), media_type


@on_one_loop
@pytest.mark.parametrize(("method", "path"), [param.values[:2] for param in BODIES])
async def test_a_body_that_is_too_large_is_refused_announced_or_not(world: World, method: str, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * (MB // 20)

    announced = await world.send(method, path, content=b" " * (MB + 1))
    chunked = await world.send(method, path, content=chunks())

    for answer in (announced, chunked):
        assert is_clear_problem(answer)
        assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")


@on_one_loop
async def test_the_examples_themselves_are_understood(world: World) -> None:
    """Else everything above would be refused for another reason."""
    for method, path, content in (param.values for param in BODIES):
        answer = await world.send_json(method, path, content["example"])

        is_read = answer.status_code not in {400, 412, 413, 415, 422, 500}
        assert is_read or answer.json()["code"] in OF_THE_COMPANY, f"{method} {path}: {answer.text}"


def test_every_kind_of_text_is_found_in_the_document() -> None:
    found = [place for param in BODIES for place, _ in places(param.values[2]["schema"], param.values[2]["example"])]

    assert {("legal_name",), ("system_prompt",), ("messages", 0, "content"), ("documents", 0, "kind")} <= set(found)
    assert example_of({"type": "string"}, {}) is None
