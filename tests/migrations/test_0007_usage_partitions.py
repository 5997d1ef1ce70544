"""Revision 0007 on a database that already holds usage."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from kontor.core.migrate import migrate_async
from kontor.core.postgres import DatabaseUrls
from support.databases import in_database, roles_of, sql

EVENT = """
INSERT INTO usage_events (day, tenant_id, id, key_id, model_asked, model, provider, input_tokens, cached_tokens,
  cache_write_tokens, output_tokens, reasoning_tokens, source, outcome, latency_ms, at)
VALUES (($2::text::timestamptz AT TIME ZONE 'UTC')::date, $1, $3, gen_random_uuid(), 'assistant', 'm', 'p', 10, 0, 0, 5,
  0, 'reported', 'answered', 3, $2::text::timestamptz)
ON CONFLICT DO NOTHING RETURNING id
"""
PLACE = "SELECT tableoid::regclass::text FROM usage_events WHERE id = $1"


@pytest.fixture
def before(postgres: str) -> Iterator[DatabaseUrls]:
    name = f"m_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name}"))
    urls = roles_of(in_database(postgres, name))
    asyncio.run(migrate_async(urls, "0006"))
    yield urls
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def test_what_was_there_stays_where_it_is_and_is_met_by_its_replay(before: DatabaseUrls) -> None:
    connection = await asyncpg.connect(before.owner)
    tenant = uuid4()
    old = [(tenant, at, uuid4()) for at in ("2025-01-31T23:59:59Z", "2026-10-31T00:00:00Z", "2026-11-01T00:00:00Z")]
    for row in old:
        assert await connection.fetchval(EVENT, *row) == row[2]
    file = await connection.fetchval("SELECT pg_relation_filenode('usage_events')")

    await migrate_async(before)

    assert await connection.fetchval("SELECT pg_relation_filenode('usage_events_first')") == file
    gateway = await asyncpg.connect(before.gateway)
    for row in old:
        assert await gateway.fetchval(EVENT, *row) is None
        assert await gateway.fetchval(PLACE, row[2]) == "usage_events_first"
    new = (tenant, await connection.fetchval("SELECT (now() + interval '2 months')::text"), uuid4())
    assert await gateway.fetchval(EVENT, *new) == new[2]
    place = await gateway.fetchval(PLACE, new[2])
    assert place.startswith("usage_events_20")
    await gateway.close()

    app = await asyncpg.connect(before.app)
    async with app.transaction():
        await app.execute("SELECT set_config('kontor.tenant_id', $1, true)", str(uuid4()))
        assert await app.fetch("SELECT * FROM usage_events") == []
        await app.execute("SELECT set_config('kontor.tenant_id', $1, true)", str(tenant))
        assert len(await app.fetch("SELECT * FROM usage_events")) == 4
        await app.execute("DELETE FROM usage_events WHERE tenant_id = $1", tenant)
    await app.close()
    assert await connection.fetchval("SELECT count(*) FROM usage_events") == 0
    await connection.close()


async def test_a_database_with_events_of_next_year_is_taken_over_too(before: DatabaseUrls) -> None:
    connection = await asyncpg.connect(before.owner)
    row = uuid4(), await connection.fetchval("SELECT (now() + interval '1 year')::text"), uuid4()
    await connection.fetchval(EVENT, *row)

    await migrate_async(before)

    assert await connection.fetchval(PLACE, row[2]) == "usage_events_first"
    await connection.close()
