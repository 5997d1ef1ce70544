"""A tenant's own unit of work against everybody else's rows, in every table: the database itself refuses.

As if a query had forgotten its tenant, or somebody could write SQL.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Table, text
from sqlalchemy.exc import DBAPIError

from kontor.app.schema import METADATA
from kontor.core import roles, tenancy
from kontor.core.db import Database
from kontor.core.ids import TenantId
from kontor.core.postgres import DatabaseUrls
from support.tenants import a_tenant

FORBIDDEN = "42501"  # SQLSTATE insufficient_privilege: no right, or against a policy
TABLES = METADATA.sorted_tables
TENANT_TABLES = [table for table in TABLES if tenancy.access_of(table).of_tenant]
CLOSED_TABLES = [table for table in TABLES if not tenancy.access_of(table).app]
# Something of each type that a row must have; no two are equal.
ANY = {
    "uuid": "gen_random_uuid()",
    "bytea": "uuid_send(gen_random_uuid())",
    "text": "gen_random_uuid()::text",
    "character varying": "gen_random_uuid()::text",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "boolean": "false",
    "integer": "(random() * 1e9)::int",
    "bigint": "(random() * 1e9)::int",
    "double precision": "random()",
    "ARRAY": "'{}'",
    "jsonb": "'{}'",
    "json": "'{}'",
}
every_tenant_table = pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)


class Attack:
    """Two tenants; `mine` attacks `theirs` as the app role, the superuser sees what came of it."""

    def __init__(self, database: Database, superuser: asyncpg.Connection, mine: TenantId, theirs: TenantId) -> None:
        self.database = database
        self.superuser = superuser
        self.mine = mine
        self.theirs = theirs

    async def plant(self, table: Table) -> None:
        """Each of both has a row in the table, whatever the table's own rules say of its content."""
        for (check,) in await self.superuser.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype IN ('c', 'f')",
            table.name,
        ):
            await self.superuser.execute(f'ALTER TABLE {table.name} DROP CONSTRAINT "{check}"')
        needed = await self.superuser.fetch(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1 "
            "AND is_nullable = 'NO' AND column_default IS NULL AND column_name <> 'tenant_id'",
            table.name,
        )
        names = ", ".join(["tenant_id", *(name for name, _ in needed)])
        values = ", ".join(["$1", *(ANY[kind] for _, kind in needed)])
        for tenant in (self.mine, self.theirs):
            if not await self.rows_of(table, tenant):
                await self.superuser.execute(f"INSERT INTO {table.name} ({names}) VALUES ({values})", tenant)  # noqa: S608

    async def rows_of(self, table: Table, tenant: UUID) -> list[Any]:
        """The tenant's rows as they are."""
        return list(await self.superuser.fetch(f"SELECT * FROM {table.name} WHERE tenant_id = $1", tenant))  # noqa: S608

    async def run(self, sql: str, *, before: str = "SELECT 1", **values: Any) -> Any:
        """How many rows the statement reached in my unit of work, or the SQLSTATE with which it was refused."""
        try:
            async with self.database.uow(self.mine) as tx:
                await tx.execute(text(before))
                return (await tx.execute(text(sql), values)).rowcount  # type: ignore[attr-defined]
        except DBAPIError as error:
            return str(getattr(error.orig, "sqlstate", error))


@pytest.fixture
async def attack(database: Database, database_urls: DatabaseUrls) -> AsyncIterator[Attack]:
    mine, theirs = await a_tenant(database, active=True), await a_tenant(database, active=True)
    superuser = await asyncpg.connect(database_urls.owner)
    yield Attack(database, superuser, mine, theirs)
    await superuser.close()


@every_tenant_table
async def test_rows_of_another_tenant_cannot_be_read_changed_deleted_or_made(attack: Attack, table: Table) -> None:
    await attack.plant(table)
    mine, theirs = await attack.rows_of(table, attack.mine), await attack.rows_of(table, attack.theirs)
    assert mine
    assert theirs
    name, columns = table.name, [column.name for column in table.columns if column.computed is None]
    as_theirs = ", ".join(":theirs" if column == "tenant_id" else column for column in columns)

    seen = await attack.run(f"SELECT * FROM {name}")  # noqa: S608 - the models' own names
    read = await attack.run(f"SELECT * FROM {name} WHERE tenant_id = :theirs", theirs=attack.theirs)  # noqa: S608
    touched = await attack.run(
        f"UPDATE {name} SET tenant_id = :mine WHERE tenant_id = :theirs",  # noqa: S608
        mine=attack.mine,
        theirs=attack.theirs,
    )
    given_away = await attack.run(f"UPDATE {name} SET tenant_id = :theirs", theirs=attack.theirs)  # noqa: S608
    deleted = await attack.run(f"DELETE FROM {name} WHERE tenant_id = :theirs", theirs=attack.theirs)  # noqa: S608
    made = await attack.run(
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {as_theirs} FROM {name}",  # noqa: S608
        theirs=attack.theirs,
    )
    emptied = await attack.run(f"TRUNCATE {name}")

    assert (seen, read) == (len(mine), 0)
    assert touched in {0, FORBIDDEN}
    assert deleted in {0, FORBIDDEN}
    assert (given_away, made, emptied) == (FORBIDDEN, FORBIDDEN, FORBIDDEN)
    assert await attack.rows_of(table, attack.theirs) == theirs
    assert await attack.rows_of(table, attack.mine) == mine


@every_tenant_table
async def test_without_a_tenant_there_is_nothing(attack: Attack, database_urls: DatabaseUrls, table: Table) -> None:
    await attack.plant(table)
    connection = await asyncpg.connect(database_urls.app)
    try:
        never_set = await connection.fetch(f"SELECT * FROM {table.name}")  # noqa: S608
        await connection.execute(f"SET {tenancy.TENANT_SETTING} = ''")
        left_over = await connection.fetch(f"SELECT * FROM {table.name}")  # noqa: S608
    finally:
        await connection.close()

    assert (never_set, left_over) == ([], [])


@pytest.mark.parametrize("table", CLOSED_TABLES, ids=lambda table: table.name)
async def test_tables_that_are_not_for_tenants_are_closed_to_them(attack: Attack, table: Table) -> None:
    assert await attack.run(f"SELECT * FROM {table.name}") == FORBIDDEN  # noqa: S608
    assert await attack.run(f"DELETE FROM {table.name}") == FORBIDDEN  # noqa: S608


async def test_another_company_and_its_people_are_not_there(attack: Attack) -> None:
    assert await attack.run("SELECT * FROM tenants") == 1
    assert await attack.run("SELECT * FROM tenants WHERE id = :theirs", theirs=attack.theirs) == 0
    assert await attack.run("UPDATE tenants SET slug = 'x' WHERE id = :theirs", theirs=attack.theirs) == 0
    assert await attack.run("DELETE FROM tenants") == FORBIDDEN
    assert await attack.run("SELECT * FROM persons") == 1


async def test_nobody_can_become_somebody_else(attack: Attack) -> None:
    for role in (roles.OWNER, roles.SYSTEM, roles.GATEWAY):
        assert await attack.run(f"SET LOCAL ROLE {role}") == FORBIDDEN
    assert await attack.run("SELECT * FROM memberships", before="SET LOCAL row_security = off") == FORBIDDEN
    assert await attack.run("ALTER TABLE memberships DISABLE ROW LEVEL SECURITY") == FORBIDDEN
    assert await attack.run("COPY memberships TO '/tmp/x'") == FORBIDDEN
