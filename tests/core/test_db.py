"""Units of work over connections that come and go."""

from sqlalchemy import text

from kontor.core.db import Database
from support.databases import sql


async def process_of_the_server(database: Database) -> int:
    async with database.system_uow() as tx:
        return int(await tx.scalar(text("SELECT pg_backend_pid()")) or 0)


async def test_a_connection_is_used_again_until_the_server_closes_it(database: Database) -> None:
    first = await process_of_the_server(database)
    second = await process_of_the_server(database)

    await sql(database.urls.owner, f"SELECT pg_terminate_backend({first}, 10000)")

    third = await process_of_the_server(database)
    assert first == second
    assert third != first
