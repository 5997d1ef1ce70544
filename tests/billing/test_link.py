"""The gateway's connections to Postgres, when the server ends them at any moment: an outage, never a bug."""

import asyncio
from contextlib import suppress

import asyncpg

from kontor.billing.metering.link import DatabaseAway, Link
from kontor.core.db import Database


async def test_a_server_that_hangs_up_at_any_moment_is_away_and_comes_back(database: Database) -> None:
    link, owner = Link(database.urls.gateway), await asyncpg.connect(database.urls.owner)
    try:
        for turns in range(40):
            with suppress(DatabaseAway):
                async with link.connection() as connection:
                    ending = owner.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                    ended = asyncio.ensure_future(ending)
                    for _ in range(turns):
                        await asyncio.sleep(0)
            await ended

        async with link.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await link.close()
        await owner.close()
