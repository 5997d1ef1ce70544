"""The audit log: one chain per tenant, that shows every change and outlives the tenant's data key."""

import asyncio
from uuid import uuid4

import asyncpg
import orjson
import pytest
from sqlalchemy import select

from kontor.core.audit import OPERATOR_CHAIN, SYSTEM, Actor, AuditEntry, chains, record, verify
from kontor.core.db import Database
from kontor.core.ids import TenantId

ADA = Actor("person", "prs_1", "192.0.2.7")


async def acted(database: Database, tenant: TenantId, *actions: str) -> None:
    for action in actions:
        async with database.uow(tenant) as tx:
            await record(tx, ADA, action, data={"seats": 5}, personal_data={"name": "Jürgen"})


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    made = TenantId(uuid4())
    await database.vault.create_key(made)
    await acted(database, made, "one", "two", "three")
    return made


async def changed(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.urls.owner)
    await connection.execute(statement)
    await connection.close()


async def test_an_untouched_chain_is_intact(database: Database, tenant: TenantId) -> None:
    async with database.system_uow() as tx:
        verdict = await verify(tx, tenant)

        assert verdict.is_intact
        assert verdict.entries == 3
        assert await chains(tx) == [tenant]
        assert (await verify(tx, TenantId(uuid4()))).is_intact


@pytest.mark.parametrize(
    ("change", "at", "reason"),
    [
        ("UPDATE audit_entries SET action = 'other' WHERE seq = 2", 2, "changed"),
        ("UPDATE audit_entries SET at = at + interval '1 s' WHERE seq = 1", 1, "changed"),
        ("""UPDATE audit_entries SET data = '{"seats": 6}' WHERE seq = 3""", 3, "changed"),
        ("UPDATE audit_entries SET personal = NULL WHERE seq = 1", 1, "changed"),
        ("DELETE FROM audit_entries WHERE seq = 2", 2, "missing"),
        ("DELETE FROM audit_entries WHERE seq = 3", 3, "cut off"),
        ("DELETE FROM audit_heads", 4, "cut off"),
        ("UPDATE audit_entries SET previous = hash WHERE seq = 2", 2, "broken"),
    ],
)
async def test_every_change_behind_our_back_is_found(
    database: Database, tenant: TenantId, change: str, at: int, reason: str
) -> None:
    await changed(database, change)

    async with database.system_uow() as tx:
        verdict = await verify(tx, tenant)

    assert not verdict.is_intact
    assert verdict.broken_at == at
    assert reason in (verdict.reason or "")


async def test_the_chain_verifies_after_the_key_is_destroyed_and_names_nobody(
    database: Database, tenant: TenantId
) -> None:
    await database.vault.destroy_key(tenant)

    async with database.system_uow() as tx:
        assert (await verify(tx, tenant)).is_intact
        for entry in await tx.scalars(select(AuditEntry)):
            assert "Jürgen".encode() not in (entry.personal or b"")
            assert b"192.0.2.7" not in (entry.personal or b"")


async def test_personal_fields_can_be_read_while_the_key_lives(database: Database, tenant: TenantId) -> None:
    async with database.uow(tenant) as tx:
        entry = (await tx.scalars(select(AuditEntry).where(AuditEntry.seq == 1))).one()
        opened = await tx.vault.open(tenant, "audit_entries.personal:1", entry.personal or b"")

    assert orjson.loads(opened) == {"name": "Jürgen", "address": "192.0.2.7"}


async def test_many_at_once_make_one_chain(database: Database, tenant: TenantId) -> None:
    await asyncio.gather(*(acted(database, tenant, f"at once {n}") for n in range(8)))

    async with database.system_uow() as tx:
        verdict = await verify(tx, tenant)

    assert verdict.is_intact
    assert verdict.entries == 11


async def test_an_act_that_was_rolled_back_is_in_no_chain(database: Database, tenant: TenantId) -> None:
    async def changes_its_mind() -> None:
        async with database.uow(tenant) as tx:
            await record(tx, SYSTEM, "never")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await changes_its_mind()

    async with database.system_uow() as tx:
        assert (await verify(tx, tenant)).entries == 3


async def test_the_operators_own_acts_have_their_own_chain(database: Database) -> None:
    async with database.system_uow() as tx:
        await record(tx, Actor("operator", "prs_2", "192.0.2.8"), "operator.added")

    async with database.system_uow() as tx:
        assert await chains(tx) == [OPERATOR_CHAIN]
        assert (await verify(tx, OPERATOR_CHAIN)).is_intact


async def test_the_app_cannot_change_what_was_written(database: Database, tenant: TenantId) -> None:
    connection = await asyncpg.connect(database.urls.app)
    await connection.execute("SELECT set_config('kontor.tenant_id', $1, false)", str(tenant))

    for statement in ("UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
