"""The register of erasures, and what it is for: a restore brings nobody back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kontor.app.schema import METADATA
from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import ErasureId, InstanceId, PersonId, TenantId, new_id
from kontor.tenants.leaving.model import ErasureStep
from kontor.tenants.leaving.ports import Registered
from kontor.tenants.leaving.register import FolderRegister
from kontor.tenants.leaving.replay import replay_register
from kontor.tenants.people.model import Membership, Person
from support.erasures import Erasures
from support.tenants import a_person

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def entry(*persons: PersonId) -> Registered:
    return Registered(ErasureId(new_id()), TenantId(new_id()), NOON, persons)


async def test_entries_come_back_in_their_order_one_per_erasure(tmp_path: Path) -> None:
    register = FolderRegister(tmp_path / "keys" / "erasures.jsonl")
    first, second = entry(), entry()
    person = PersonId(new_id())

    await register.add(first)
    await register.add(second)
    await register.add(first)
    await register.add(Registered(first.erasure, first.tenant, NOON, (person,)))

    again = FolderRegister(tmp_path / "keys" / "erasures.jsonl")
    assert await again.entries() == [Registered(first.erasure, first.tenant, NOON, (person,)), second]
    assert (tmp_path / "keys" / "erasures.jsonl").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "keys" / "erasures.jsonl").read_text().splitlines()) == 3


async def test_a_register_without_a_file_is_empty(tmp_path: Path) -> None:
    assert await FolderRegister(tmp_path / "erasures.jsonl").entries() == []


async def test_a_line_that_a_power_cut_has_torn_swallows_no_other(tmp_path: Path) -> None:
    file = tmp_path / "erasures.jsonl"
    register = FolderRegister(file)
    first, second = entry(), entry()
    await register.add(first)
    file.write_bytes(file.read_bytes() + b'{"erasure":"01')

    await register.add(second)

    assert [one.erasure for one in await register.entries()] == [first.erasure, second.erasure]


class Backup:
    """All rows of the database at one time, put back later beside what is there: what a restore would bring back."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.rows: dict[str, list[dict[str, Any]]] = {}

    async def take(self) -> None:
        async with self.database.system_uow() as tx:
            for table in METADATA.sorted_tables:
                self.rows[table.name] = [dict(row._mapping) for row in await tx.execute(select(table))]

    async def restore(self, *tables: str) -> None:
        """Rows that are there already stay as they are."""
        async with self.database.system_uow() as tx:
            for table in METADATA.sorted_tables:
                if table.name in tables and self.rows[table.name]:
                    await tx.execute(insert(table).on_conflict_do_nothing(), self.rows[table.name])


OF_A_TENANT = (
    "persons", "tenants", "memberships", "instances", "assignments", "assistant_settings", "conversations", "messages",
    "mails", "sessions", "usage_events", "usage_hourly", "invitations", "api_keys",
)  # fmt: skip


async def test_a_tenant_that_a_restore_brought_back_is_erased_again(erasures: Erasures, database: Database) -> None:
    tenant = await erasures.lived_in()
    persons = await erasures.members(tenant)
    backup = Backup(database)
    await backup.take()
    receipt = await erasures.erased(tenant)
    await backup.restore(*OF_A_TENANT)
    assert (await erasures.traces(tenant, persons))["messages"]

    repeated = await replay(erasures)
    again = await replay(erasures)

    after = await erasures.traces(tenant, persons)
    assert {name for name, found in after.items() if found} == {"audit_entries", "audit_heads"}
    assert (repeated, again) == ([receipt.erasure], [])
    progress = await erasures.look(receipt)
    assert (progress.step, progress.proof is not None) == (ErasureStep.DONE, True)


async def test_data_keys_that_were_restored_alone_are_destroyed_again(
    erasures: Erasures, database: Database, tmp_path: Path
) -> None:
    tenant = await erasures.lived_in()
    persons = await erasures.members(tenant)
    keys = tmp_path / "keys"
    old = {file: file.read_bytes() for file in keys.glob("*.key")}
    receipt = await erasures.erased(tenant)
    for file, content in old.items():
        file.write_bytes(content)
    assert {tenant, *persons} <= set(await database.vault.owners())

    repeated = await replay(erasures)

    assert repeated == [receipt.erasure]
    assert {tenant, *persons}.isdisjoint(await database.vault.owners())


async def test_a_restore_that_forgot_the_erasure_itself_does_not_save_the_tenant(
    erasures: Erasures, database: Database
) -> None:
    tenant = await erasures.lived_in()
    backup = Backup(database)
    await backup.take()
    receipt = await erasures.ask(tenant)
    await erasures.register.add(Registered(receipt.erasure, tenant, NOON))
    async with database.system_uow() as tx:
        for table in reversed(METADATA.sorted_tables):
            if table.name in {*OF_A_TENANT, "erasures", "exports", "services", "outages", "gateway_keys"}:
                await tx.execute(table.delete())
    erasures.fleet.runtime.instances.clear()
    await backup.restore(*OF_A_TENANT, "gateway_keys")

    repeated = await replay(erasures)

    assert repeated == [receipt.erasure]
    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert (await erasures.traces(tenant, []))["messages"] == []


async def test_an_assistant_that_was_restored_with_its_volume_is_left_to_the_reconciler(
    erasures: Erasures, database: Database
) -> None:
    tenant = await erasures.lived_in()
    instance = InstanceId((await erasures.fleet.instance(tenant)).id)
    volume = erasures.fleet.runtime.instances[instance]
    backup = Backup(database)
    await backup.take()
    receipt = await erasures.erased(tenant)
    await backup.restore(*OF_A_TENANT)
    erasures.fleet.runtime.instances[instance] = volume

    await replay(erasures)
    between = await erasures.look(receipt)
    await erasures.work(receipt.erasure)

    assert between.step == ErasureStep.INSTANCE
    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert erasures.fleet.runtime.instances == {}


async def test_a_person_who_was_erased_comes_back_in_no_other_tenant(erasures: Erasures, database: Database) -> None:
    other = await erasures.fleet.company()
    tenant = await erasures.lived_in()
    owner = (await erasures.members(tenant))[0]
    async with database.system_uow() as tx:
        tx.add(Membership(tenant_id=other, person_id=owner, id=new_id(), role="viewer", created_at=tx.now))
    backup = Backup(database)
    await backup.take()
    async with database.system_uow() as tx:
        await tx.delete(await tx.get_one(Membership, (other, owner)))
    await erasures.erased(tenant)
    await backup.restore(*OF_A_TENANT)

    await replay(erasures)

    async with database.system_uow() as tx:
        assert await tx.get(Person, owner) is None
    assert not await database.vault.has_key(owner)


class FullDisk(FolderRegister):
    """Takes the request, and then no more."""

    async def add(self, entry: Registered) -> None:
        if entry.persons:
            raise Unavailable("disk.full", Text(de="voll", en="full"))
        await super().add(entry)


async def test_an_erasure_that_is_on_its_way_is_not_disturbed_by_a_replay(
    erasures: Erasures, database: Database, tmp_path: Path
) -> None:
    tenant = await erasures.lived_in()
    persons = await erasures.members(tenant)
    receipt = await erasures.ask(tenant)
    await erasures.fleet.reconcile()
    with pytest.raises(Unavailable):
        await erasures.with_register(FullDisk(tmp_path / "erasures.jsonl")).advance(receipt.erasure)
    between = await erasures.look(receipt)

    assert await replay(erasures) == []
    await erasures.work(receipt.erasure)

    assert between.step == ErasureStep.PERSONS
    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert not any([await database.vault.has_key(person) for person in persons])


async def test_whoever_is_not_in_the_register_stays(erasures: Erasures, database: Database) -> None:
    tenant, person = await erasures.lived_in(), await a_person(database)
    await erasures.erased(await erasures.fleet.company())
    before = await erasures.traces(tenant, [person])

    assert await replay(erasures) == []

    assert await erasures.traces(tenant, [person]) == before


async def replay(erasures: Erasures) -> list[ErasureId]:
    return list(await replay_register(erasures.database, erasures.register, erasures.fleet.runtime, erasures.eraser))
