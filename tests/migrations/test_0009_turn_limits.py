"""Revision 0009 on a database of a company that talks to its assistant."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from kontor.core.migrate import migrate_async
from kontor.core.postgres import DatabaseUrls
from support.databases import in_database, roles_of, sql

TENANT = """
INSERT INTO tenants (id, seller, slug, profile, country, industry, residency, plan, is_pilot, seats, language, state,
  retention_days, revision, created_at)
VALUES ($1, 's', $2, '', 'DE', 'other', 'eu', 'starter', false, 1, 'de', 'active', 90, 1, '2026-11-01')
"""
CONVERSATION = """
INSERT INTO conversations (id, tenant_id, channel, source, end_user, state, last_seq, last_message, is_acknowledged,
  heard_seq, created_at, last_at)
VALUES ($1, $2, 'api', $1, '', 'assistant', 0, $1, false, 0, '2026-11-20', '2026-11-20')
"""
LIMIT = """
INSERT INTO turn_limits VALUES ($1, 'api', $2, $3, NULL, '2026-11-23', $4, '2026-11-01', $4, 1)
"""


@pytest.fixture
def before(postgres: str) -> Iterator[DatabaseUrls]:
    name = f"m_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name}"))
    urls = roles_of(in_database(postgres, name))
    asyncio.run(migrate_async(urls, "0008"))
    yield urls
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def test_who_talked_before_is_counted_from_now_on_and_bound_by_nothing(before: DatabaseUrls) -> None:
    owner = await asyncpg.connect(before.owner)
    tenant, other = uuid4(), uuid4()
    for one in (tenant, other):
        await owner.execute(TENANT, one, str(one))
    await owner.execute(CONVERSATION, uuid4(), tenant)

    await migrate_async(before)

    assert await owner.fetchval("SELECT count(*) FROM conversations") == 1
    assert await owner.fetchval("SELECT count(*) FROM turn_limits") == 0
    app = await asyncpg.connect(before.app)
    async with app.transaction():
        await app.execute("SELECT set_config('kontor.tenant_id', $1, true)", str(tenant))
        await app.execute(LIMIT, tenant, uuid4(), None, 1)
        assert await app.fetchval("UPDATE turn_limits SET turns_of_day = turns_of_day + 1 RETURNING turns_of_day") == 2
        await app.execute("SELECT set_config('kontor.tenant_id', $1, true)", str(other))
        assert await app.fetch("SELECT * FROM turn_limits") == []
    for limit, turns in ((-1, 0), (1, -1)):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(LIMIT, tenant, uuid4(), limit, turns)
    await app.close()
    gateway = await asyncpg.connect(before.gateway)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await gateway.fetch("SELECT * FROM turn_limits")
    await gateway.close()
    await owner.close()
