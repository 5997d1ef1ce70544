"""Revision 0008 on a database that already holds counts of its gateways."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from kontor.core.migrate import migrate_async
from kontor.core.postgres import DatabaseUrls
from support.databases import in_database, roles_of, sql

HIT = "INSERT INTO gateway_refusals (tenant_id, day, code, requests) VALUES ($1, '2026-11-20', 'gateway.rate', 3)"
OUTAGE = """
INSERT INTO provider_outages (id, gateway, deployment, is_third_party, cause, started_at, observed_until)
VALUES ($1, $1, 'one/m', true, $2, $3::text::timestamptz, $4::text::timestamptz)
"""
ROUTE = "INSERT INTO model_routes VALUES ('assistant', 'chat', 'eu', '2026-11-20', '{one/m}')"


@pytest.fixture
def before(postgres: str) -> Iterator[DatabaseUrls]:
    name = f"m_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name}"))
    urls = roles_of(in_database(postgres, name))
    asyncio.run(migrate_async(urls, "0007"))
    yield urls
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def test_what_was_there_stays_and_each_process_may_what_it_needs(before: DatabaseUrls) -> None:
    owner = await asyncpg.connect(before.owner)
    await owner.execute(HIT, uuid4())

    await migrate_async(before)

    assert await owner.fetchval("SELECT sum(requests) FROM gateway_refusals") == 3
    gateway, app = await asyncpg.connect(before.gateway), await asyncpg.connect(before.app)
    outage = uuid4()
    await gateway.execute(OUTAGE, outage, "failing", "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z")
    await gateway.execute("UPDATE provider_outages SET ended_at = observed_until WHERE id = $1", outage)
    await gateway.execute(ROUTE)
    assert await app.fetchval("SELECT deployment FROM provider_outages") == "one/m"
    assert await app.fetchval("SELECT deployments FROM model_routes") == ["one/m"]
    for role, statement in (
        (app, "DELETE FROM provider_outages"),
        (app, "UPDATE provider_outages SET observed_until = now()"),
        (app, "DELETE FROM model_routes"),
        (gateway, "DELETE FROM provider_outages"),
        (gateway, "UPDATE model_routes SET deployments = '{}'"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(statement)
    for refused in (
        ("bored", "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z"),
        ("failing", "2026-11-20T10:05:00Z", "2026-11-20T10:00:00Z"),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await gateway.execute(OUTAGE, uuid4(), *refused)
    for each in (owner, gateway, app):
        await each.close()
