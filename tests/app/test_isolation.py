"""Every route against everybody who must not use it: another tenant's owner, lesser roles, API keys, strangers.

The list is generated from the application; a route without an entry in ROUTES fails. Not yours is 404, not allowed to
your role is 403, nobody is 401.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from kontor.app.container import Container
from kontor.app.main import create_app
from kontor.core.clock import FixedClock
from kontor.core.crypto import Vault
from kontor.core.ids import PREFIXES, TenantId, decode, encode, new_id
from kontor.core.settings import Settings
from kontor.tenants.talk.model import Conversation
from support.content_log import logged
from support.databases import MASTER_KEY, in_database, roles_of, sql
from support.isolation import EVERYONE, ROUTES, Access, Entry
from support.web import PASSWORD, Web, settings_for

on_one_loop = pytest.mark.asyncio(loop_scope="module")
LESSER = ("admin", "billing", "viewer")


@dataclass
class World:
    """Two companies: `owner` and lesser members of the first, whose objects are in `ids`; the second's owner."""

    web: Web
    people: dict[str, httpx.AsyncClient]
    other: httpx.AsyncClient
    stranger: httpx.AsyncClient
    program: httpx.AsyncClient
    keys: dict[str, str]
    ids: dict[str, str]

    async def send(self, who: httpx.AsyncClient, method: str, path: str, entry: Entry, **headers: str) -> Any:
        url = path
        for name, kind in entry.ids.items():
            url = url.replace(f"{{{name}}}", kind.removeprefix("=") if kind.startswith("=") else self.ids[kind])
        assert "{" not in url, f"{path}: an id is missing in its entry"
        return await who.request(method, url, json=entry.body, data=entry.form, headers={**entry.headers, **headers})


@pytest.fixture(scope="module")
def own_database(postgres: str, template: str) -> Iterator[str]:
    name = "isolation"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield in_database(postgres, name)
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(own_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    clock = FixedClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    web = Web(settings_for(roles_of(own_database), tmp_path_factory.mktemp("isolation"), MASTER_KEY), clock)
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(web.client()) for name in (*EVERYONE, "other", "stranger")}
        program = await stack.enter_async_context(web.client())
        del program.headers["origin"]
        owner = clients["owner"]
        company = await web.active(owner, "owner@example.org", seats=20)
        await web.active(clients["other"], "other@example.org", legal_name="Andere GmbH")
        for role in LESSER:
            await owner.post("/api/v1/invitations", json={"email": f"{role}@example.org", "role": role})
            joined = await clients[role].post(
                "/api/v1/invitations/acceptance", json={"token": await web.last_token(), "password": PASSWORD}
            )
            assert joined.status_code == 200, joined.text
        invited = await owner.post("/api/v1/invitations", json={"email": "open@example.org"})
        scopes = ("chat", "read", "usage", "export", "admin")
        keys = {
            scope: (await owner.post("/api/v1/api-keys", json={"name": scope, "scopes": [scope]})).json()
            for scope in scopes
        }
        tenant = TenantId(decode("tnt", str(company["id"])))
        ids = {
            "tenant": str(company["id"]),
            "membership": (await owner.get("/api/v1/members")).json()["items"][1]["id"],
            "invitation": invited.json()["id"],
            "api_key": keys["admin"]["id"],
            "gateway_key": (await owner.post("/api/v1/gateway-keys", json={"name": "program"})).json()["id"],
            "session": (await owner.get("/api/v1/sessions")).json()[0]["id"],
            "entry": encode(
                PREFIXES["usage_event"], await logged(web.container.database, tenant, "Bäckerei", "Antwort")
            ),
            "conversation": await _conversation(web, web.container.vault, tenant),
            "export": (await owner.post("/api/v1/exports")).json()["id"],
            "erasure": encode(PREFIXES["erasure"], new_id()),
            "instance": encode(PREFIXES["instance"], new_id()),
        }
        yield World(
            web,
            {name: clients[name] for name in EVERYONE},
            clients["other"],
            clients["stranger"],
            program,
            {scope: key["secret"] for scope, key in keys.items()},
            ids,
        )
    await web.container.close()


def routes_of_the_application(folder: Path) -> set[tuple[str, str]]:
    """Every method and path that the application serves, also those outside the OpenAPI document."""
    settings = Settings(
        master_key=MASTER_KEY,  # type: ignore[arg-type]
        database_url="postgresql://nobody:none@127.0.0.1:1/none",  # type: ignore[arg-type]
        state_dir=folder,
    )
    return set(_served(create_app(Container(settings)).routes))


def _served(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route | APIRoute):
            yield from ((method, route.path) for method in (route.methods or set()) - {"HEAD"})
        elif isinstance(route, Mount):
            yield ("MOUNT", route.path)
        else:
            yield from _served(route.original_router.routes)  # type: ignore[attr-defined]


async def _conversation(web: Web, vault: Vault, tenant: TenantId) -> str:
    conversation = new_id()
    async with web.container.database.uow(tenant) as tx:
        tx.add(
            Conversation(
                id=conversation,
                tenant_id=tenant,
                channel="api",
                source=new_id(),
                end_user=vault.blind_index("somebody"),
                state="assistant",
                last_message=conversation,
                created_at=tx.now,
                last_at=tx.now,
            )
        )
    return encode(PREFIXES["conversation"], conversation)


def test_every_route_says_whom_it_is_for(tmp_path: Path) -> None:
    served = routes_of_the_application(tmp_path)

    assert served - set(ROUTES) == set(), "a new route needs an entry in tests/support/isolation.py"
    assert set(ROUTES) - served == set(), "these routes are gone"


def cases(*access: Access) -> list[Any]:
    return [
        pytest.param(method, path, entry, id=f"{method} {path}")
        for (method, path), entry in sorted(ROUTES.items(), key=lambda one: one[0])
        if entry.access in access
    ]


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.PERSON, Access.MEMBER, Access.OPERATOR))
async def test_without_login_nobody_gets_in(world: World, method: str, path: str, entry: Entry) -> None:
    answer = await world.send(world.stranger, method, path, entry)
    forged = await world.send(world.program, method, path, entry, authorization="Bearer kontor_forged")

    assert (answer.status_code, forged.status_code) == (401, 401), answer.text


@on_one_loop
@pytest.mark.parametrize(
    ("method", "path", "entry"),
    [case for case in cases(Access.MEMBER) if case.values[2].ids and not case.values[2].own_rows_only],
)
async def test_another_tenants_owner_finds_nothing(world: World, method: str, path: str, entry: Entry) -> None:
    answer = await world.send(world.other, method, path, entry)

    assert answer.status_code == 404, answer.text


@on_one_loop
@pytest.mark.parametrize(
    ("method", "path", "entry"),
    [case for case in cases(Access.MEMBER) if case.values[0] == "GET" and not case.values[2].ids],
)
async def test_another_tenants_owner_sees_nothing_of_ours_in_lists(
    world: World, method: str, path: str, entry: Entry
) -> None:
    answer = await world.send(world.other, method, path, entry)

    assert answer.status_code == 200, answer.text
    for kind, text in world.ids.items():
        assert text not in answer.text, f"{path} shows another tenant's {kind}"
    assert "Bäckerei" not in answer.text


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.MEMBER))
async def test_lesser_roles_are_refused(world: World, method: str, path: str, entry: Entry) -> None:
    for role in sorted(EVERYONE - entry.roles):
        answer = await world.send(world.people[role], method, path, entry)

        assert answer.status_code == 403, f"{role}: {answer.text}"


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.MEMBER))
async def test_an_api_key_without_the_scope_is_refused(world: World, method: str, path: str, entry: Entry) -> None:
    scopes = {entry.scope} | ({"chat", "read"} if "conversations" in path else set())
    for scope in sorted(set(world.keys) - scopes):
        answer = await world.send(world.program, method, path, entry, authorization=f"Bearer {world.keys[scope]}")

        assert answer.status_code in {401, 403}, f"{scope}: {answer.text}"


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.OPERATOR))
async def test_for_customers_the_operators_routes_do_not_exist(
    world: World, method: str, path: str, entry: Entry
) -> None:
    answer = await world.send(world.people["owner"], method, path, entry)

    assert answer.status_code == 404, answer.text


@on_one_loop
@pytest.mark.parametrize(
    ("method", "path", "entry"),
    [case for case in cases(Access.MEMBER) if case.values[0] == "GET" and not case.values[2].ids],
)
async def test_whom_a_list_is_for_gets_it(world: World, method: str, path: str, entry: Entry) -> None:
    for role in sorted(entry.roles):
        answer = await world.send(world.people[role], method, path, entry)

        assert answer.status_code == 200, f"{role}: {answer.text}"


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.PAGE, Access.STAFF))
async def test_without_login_a_page_sends_to_the_login(world: World, method: str, path: str, entry: Entry) -> None:
    answer = await world.send(world.stranger, method, path, entry)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/")


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.PAGE))
async def test_a_page_shows_another_tenants_owner_nothing_of_ours(
    world: World, method: str, path: str, entry: Entry
) -> None:
    answer = await world.send(world.other, method, path, entry)

    assert answer.status_code < 500
    assert "Bäckerei" not in answer.text
    for kind, text in world.ids.items():
        assert text not in answer.text, f"{path} shows another tenant's {kind}"


@on_one_loop
@pytest.mark.parametrize(
    ("method", "path", "entry"),
    [
        case
        for case in cases(Access.PAGE)
        if any(not kind.startswith("=") for kind in case.values[2].ids.values()) and not case.values[2].own_rows_only
    ],
)
async def test_a_page_about_an_object_is_not_there_for_another_tenants_owner(
    world: World, method: str, path: str, entry: Entry
) -> None:
    answer = await world.send(world.other, method, path, entry)

    assert answer.status_code == 404, answer.text


@on_one_loop
async def test_another_persons_session_stays_when_somebody_else_ends_it(world: World) -> None:
    path = "/account/sessions/{session_id}/end"

    await world.send(world.other, "POST", path, ROUTES["POST", path])

    assert (await world.people["owner"].get("/api/v1/me")).status_code == 200


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.STAFF))
async def test_for_customers_the_operators_pages_do_not_exist(
    world: World, method: str, path: str, entry: Entry
) -> None:
    for who in (*world.people.values(), world.other):
        answer = await world.send(who, method, path, entry)

        assert answer.status_code == 404, answer.text


@on_one_loop
@pytest.mark.parametrize(("method", "path", "entry"), cases(Access.PAGE))
async def test_a_page_refuses_lesser_roles(world: World, method: str, path: str, entry: Entry) -> None:
    for role in sorted(EVERYONE - entry.roles):
        answer = await world.send(world.people[role], method, path, entry)

        assert answer.status_code in {403, 404}, f"{role}: {answer.text}"
