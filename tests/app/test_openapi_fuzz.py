"""Whatever a program sends that reads the OpenAPI document: never a failure of ours, always an answer as documented.

The same for nobody, for a company's owner and for the operator's staff, each over a real socket.
"""

import asyncio
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kontor.app.container import Container
from kontor.app.main import create_app
from kontor.core.clock import FixedClock
from kontor.core.ids import PREFIXES, TenantId, decode
from kontor.core.postgres import DatabaseUrls
from kontor.tenants.talk.ask import Desk
from support.databases import MASTER_KEY, in_database, roles_of, sql
from support.operators import operator_login
from support.serving import served
from support.talking import IMPATIENT, ScriptedInstance, ready_assistant
from support.web import BASE_URL, Web, settings_for

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NAME = "openapi_fuzz"


def document_of_the_api() -> Any:
    made = settings_for(roles_of(NOWHERE), Path("/nonexistent"), MASTER_KEY)
    return json.loads(json.dumps(create_app(Container(made)).openapi()))


schema = schemathesis.openapi.from_dict(document_of_the_api())


ADDRESSES = itertools.count(1)
ENDS_LOGIN = {("DELETE", "/api/v1/tenant"), ("DELETE", "/api/v1/sessions/current")}


class World:
    """The served API, and logins that were made beside it on the same database."""

    def __init__(self, urls: DatabaseUrls, folder: Path, url: str, instance_url: str) -> None:
        self.url = url
        self._settings = settings_for(urls, folder, MASTER_KEY)
        self._instance_url = instance_url
        self._cookies: dict[str, str] = {}

    def cookie(self, operation: tuple[str, str]) -> str:
        """The session for an operation: an owner's, of its own when it ends the login, or the staff's."""
        who = "staff" if operation[1].startswith("/api/v1/ops/") else "owner"
        if operation in ENDS_LOGIN:
            who = "leaver" + "".join(operation).replace("/", "-")
        if who not in self._cookies:
            self._cookies[who] = asyncio.run(self._arrive(who))
        return self._cookies[who]

    async def _arrive(self, who: str) -> str:
        web = Web(self._settings, FixedClock(NOW))
        try:
            async with web.client() as client:
                if who == "staff":
                    await operator_login(web, client)
                else:
                    company = await web.active(client, f"{who.lower()}@example.org")
                    tenant = TenantId(decode(PREFIXES["tenant"], str(company["id"])))
                    await ready_assistant(web.container.database, tenant, self._instance_url)
                return "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        finally:
            await web.container.close()


@pytest.fixture(scope="module")
def world(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    asyncio.run(sql(postgres, f"CREATE DATABASE {NAME} TEMPLATE {template}"))
    urls, folder = roles_of(in_database(postgres, NAME)), tmp_path_factory.mktemp("fuzz")
    container = Container(settings_for(urls, folder, MASTER_KEY, trusted_proxies="127.0.0.1"), FixedClock(NOW))
    container.desk = Desk(container.database, container.sellers, container.desk.http, IMPATIENT)
    with served(ScriptedInstance().app) as instance, served(create_app(container)) as url:
        yield World(urls, folder, url, instance)
    asyncio.run(sql(postgres, f"DROP DATABASE {NAME} WITH (FORCE)"))


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_promises(case: schemathesis.Case, world: World) -> None:
    cookie = world.cookie((case.operation.method.upper(), case.operation.path))
    for login in ({}, {"cookie": cookie}):
        number = next(ADDRESSES)
        address = f"198.18.{number // 256 % 256}.{number % 256}"  # limits bind addresses, and this is about all else

        response = case.call(
            base_url=world.url, headers={"origin": BASE_URL, "x-forwarded-for": address, **login}, timeout=60
        )

        case.validate_response(response, checks=CHECKS)


def test_the_logins_still_open_the_api(world: World) -> None:
    for operation in (("GET", "/api/v1/tenant"), ("GET", "/api/v1/ops/tenants")):
        answer = httpx.get(world.url + operation[1], headers={"cookie": world.cookie(operation)})

        assert answer.status_code == 200, answer.text
