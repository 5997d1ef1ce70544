"""Revision 0006 on a database whose tenants already spend."""

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from kontor.core.db import DatabaseUrls
from kontor.core.migrate import migrate_async
from support.databases import in_database, roles_of, sql

BUDGET = """
INSERT INTO budgets (tenant_id, id, key_id, period, allowance_nano, cap_nano, since)
VALUES ($1, $2, $3, $4, $5, $6, '2026-11-01')
"""


@pytest.fixture
def at_0005(postgres: str) -> Iterator[DatabaseUrls]:
    name = f"m_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name}"))
    urls = roles_of(in_database(postgres, name))
    asyncio.run(migrate_async(urls, "0005"))
    yield urls
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def test_caps_stay_where_they_are_and_a_pilots_is_its_plans(at_0005: DatabaseUrls) -> None:
    connection = await asyncpg.connect(at_0005.owner)
    tenant, key = uuid4(), uuid4()
    rows: list[tuple[UUID | None, str, int | None, int | None]] = [
        (None, "total", 25, 25),
        (None, "month", 120, None),
        (key, "day", None, 7),
    ]
    for key_id, period, allowance, cap in rows:
        await connection.execute(BUDGET, tenant, uuid4(), key_id, period, allowance, cap)

    for category in ("weapons", "spam"):
        await connection.execute("INSERT INTO policy_hits VALUES ($1, '2026-11-20', $2, 3)", tenant, category)

    await migrate_async(at_0005)

    refused = await connection.fetch("SELECT * FROM gateway_refusals")
    found = await connection.fetch(
        "SELECT key_id, period, allowance_nano, cap_nano, own_cap_nano, operator_cap_nano, revision FROM budgets"
    )
    await connection.close()
    assert [tuple(row)[2:] for row in refused] == [("gateway.prohibited", 6)]
    assert {tuple(row) for row in found} == {
        (None, "total", 25, 25, None, None, 1),
        (None, "month", 120, None, None, None, 1),
        (key, "day", None, 7, 7, None, 1),
    }


async def test_the_code_before_it_goes_on_setting_budgets(at_0005: DatabaseUrls) -> None:
    await migrate_async(at_0005)
    connection = await asyncpg.connect(at_0005.system)

    await connection.execute(BUDGET, uuid4(), uuid4(), None, "total", 25, 25)

    assert await connection.fetchval("SELECT cap_nano FROM budgets") == 25
    await connection.close()
