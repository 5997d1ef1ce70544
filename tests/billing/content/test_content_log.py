"""The content log: off until an owner switches it on, read with a trace, and gone when its time is over."""

from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import select, text

from kontor.billing.errors import ContentLogNotConfirmed, ContentLogRetention
from kontor.billing.metering import gateway_keys
from kontor.billing.metering.content.entries import (
    delete_entries,
    lines,
    list_entries,
    note_reading,
    purge,
    read_entry,
)
from kontor.billing.metering.content.model import ContentEntry, ContentLog
from kontor.billing.metering.content.notice import VERSION
from kontor.billing.metering.content.switch import DAYS, standing, switch_off, switch_on
from kontor.core import audit
from kontor.core.audit import AuditEntry
from kontor.core.clock import FixedClock
from kontor.core.crypto import KeyDestroyed, Tampered
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId, TenantId, new_id
from support.content_log import logged
from support.tenants import OWNER, a_tenant


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    return await a_tenant(database, active=True)


async def acts(database: Database, tenant: TenantId) -> list[tuple[str, dict[str, Any]]]:
    """What the tenant's audit log says of its content log."""
    async with database.uow(tenant) as tx:
        rows = await tx.scalars(select(AuditEntry).where(AuditEntry.tenant_id == tenant).order_by(AuditEntry.seq))
        assert (await audit.verify(tx, tenant)).is_intact
        return [(row.action, row.data) for row in rows if row.action.startswith("content_log.")]


async def content_keys(database: Database, tenant: TenantId) -> list[bool]:
    async with database.system_uow() as tx:
        found = await tx.execute(
            text("SELECT content_key IS NOT NULL FROM gateway_keys WHERE tenant_id = :tenant ORDER BY id"),
            {"tenant": tenant},
        )
        return [row[0] for row in found]


async def test_it_is_off_and_its_keys_carry_nothing_until_it_is_switched_on(
    database: Database, tenant: TenantId
) -> None:
    instance = InstanceId(new_id())
    async with database.system_uow() as tx:
        await gateway_keys.issue_direct_key(tx, tenant)
        await gateway_keys.issue_key(tx, instance)
        await gateway_keys.bind_key(tx, instance, tenant)
    off = await content_keys(database, tenant)

    async with database.uow(tenant) as tx:
        before = await standing(tx, tenant)
        await switch_on(tx, tenant, 3, OWNER, is_confirmed=True)
    async with database.system_uow() as tx:
        await gateway_keys.issue_direct_key(tx, tenant)
    on = await content_keys(database, tenant)
    async with database.uow(tenant) as tx:
        await switch_on(tx, tenant, 14, OWNER, is_confirmed=True)
        now = await standing(tx, tenant)
        await switch_off(tx, tenant, OWNER)
        await switch_off(tx, tenant, OWNER)
    async with database.system_uow() as tx:
        await gateway_keys.issue_direct_key(tx, tenant)

    assert (before.is_on, before.since) == (False, None)
    assert (now.is_on, now.retention_days) == (True, 14)
    assert (off, on) == ([False] * 2, [True] * 3)
    assert await content_keys(database, tenant) == [False] * 4
    assert await acts(database, tenant) == [
        ("content_log.switched_on", {"retention_days": 3, "notice": VERSION}),
        ("content_log.switched_on", {"retention_days": 14, "notice": VERSION}),
        ("content_log.switched_off", {}),
    ]


async def test_it_is_not_switched_on_unread_or_for_too_long(database: Database, tenant: TenantId) -> None:
    async with database.uow(tenant) as tx:
        with pytest.raises(ContentLogNotConfirmed):
            await switch_on(tx, tenant, 7, OWNER, is_confirmed=False)
        for days in (0, -1, DAYS[-1] + 1):
            with pytest.raises(ContentLogRetention):
                await switch_on(tx, tenant, days, OWNER, is_confirmed=True)
        assert not (await standing(tx, tenant)).is_on


async def test_reading_opens_what_was_said_and_leaves_a_trace(database: Database, tenant: TenantId) -> None:
    earlier = database.clock.now() - timedelta(seconds=1)
    first = await logged(database, tenant, "Was kostet ein Brot?", "Fünf Euro 🥖", at=earlier)
    second = await logged(database, tenant, "Und zwei?", "Zehn.")

    async with database.uow(tenant) as tx:
        listed = await list_entries(tx, tenant)
        older = await list_entries(tx, tenant, before=second)
        read = await read_entry(tx, tenant, first, OWNER)
        await note_reading(tx, tenant, OWNER, "downloaded")
    taken = [orjson.loads(line) async for line in lines(database, tenant, database.clock.now())]

    assert [one.id for one in listed] == [second, first]
    assert [one.id for one in older] == [first]
    assert (read.request, read.answer) == ("Was kostet ein Brot?", "Fünf Euro 🥖")
    assert [(one["request"], one["answer"]) for one in taken] == [
        ("Was kostet ein Brot?", "Fünf Euro 🥖"),
        ("Und zwei?", "Zehn."),
    ]
    assert (await acts(database, tenant))[1:] == [
        ("content_log.read", {}),
        ("content_log.downloaded", {"entries": 2}),
    ]


async def test_another_tenant_finds_nothing(database: Database, tenant: TenantId) -> None:
    entry = await logged(database, tenant, "Frage", "Antwort")
    other = await a_tenant(database, active=True)

    async with database.uow(other) as tx:
        assert await list_entries(tx, tenant) == []
        with pytest.raises(NotFound):
            await read_entry(tx, other, entry, OWNER)
        assert await tx.scalar(select(ContentLog.private_key)) is None


async def test_many_calls_are_taken_in_their_order(database: Database, tenant: TenantId) -> None:
    at = database.clock.now()
    for number in range(52):
        await logged(database, tenant, str(number), "", at=at - timedelta(seconds=60 - number))

    taken = [orjson.loads(line)["request"] async for line in lines(database, tenant, at)]

    assert taken == [str(number) for number in range(52)]


async def test_a_row_that_somebody_put_there_does_not_open(database: Database, tenant: TenantId) -> None:
    first, second = [await logged(database, tenant, "Frage", said) for said in ("eins", "zwei")]
    async with database.system_uow() as tx:
        await tx.execute(
            text(
                "UPDATE content_entries SET content = (SELECT content FROM content_entries WHERE id = :b) WHERE id = :a"
            ),
            {"a": first, "b": second},
        )

    async with database.uow(tenant) as tx:
        with pytest.raises(Tampered):
            await read_entry(tx, tenant, first, OWNER)
    taken = [orjson.loads(line)["answer"] async for line in lines(database, tenant, database.clock.now())]

    assert taken == ["zwei"]


async def test_without_the_tenants_data_key_nothing_opens(database: Database, tenant: TenantId) -> None:
    entry = await logged(database, tenant, "Frage", "Antwort")

    await database.vault.destroy_key(tenant)

    with pytest.raises(KeyDestroyed):
        async with database.uow(tenant) as tx:
            await read_entry(tx, tenant, entry, OWNER)


async def test_what_is_too_old_goes_also_when_it_is_switched_off(database: Database, tenant: TenantId) -> None:
    assert isinstance(database.clock, FixedClock)
    other = await a_tenant(database, active=True)
    await logged(database, tenant, "alt", "")
    await logged(database, other, "alt", "")
    async with database.uow(tenant) as tx:
        await switch_on(tx, tenant, 3, OWNER, is_confirmed=True)
        await switch_off(tx, tenant, OWNER)
    database.clock.advance(timedelta(days=3))
    new = await logged(database, tenant, "neu", "")
    at_the_bound = await purge(database)
    database.clock.advance(timedelta(seconds=1))

    gone = (await purge(database), await purge(database))

    async with database.uow(tenant) as tx:
        assert [one.id for one in await list_entries(tx, tenant)] == [new]
    async with database.uow(other) as tx:
        assert len(await list_entries(tx, other)) == 1
    assert (at_the_bound, gone) == (0, (1, 0))
    assert (await acts(database, tenant))[-1][0] == "content_log.purged"


async def test_an_owner_deletes_all_of_it_at_once(database: Database, tenant: TenantId) -> None:
    for _ in range(3):
        await logged(database, tenant, "Frage", "Antwort")

    async with database.uow(tenant) as tx:
        assert await delete_entries(tx, tenant, OWNER) == 3
        assert (await standing(tx, tenant)).is_on

    async with database.system_uow() as tx:
        assert (await tx.scalars(select(ContentEntry))).all() == []
    assert (await acts(database, tenant))[-1] == ("content_log.deleted", {"entries": 3})


async def test_a_gateway_may_write_and_read_nothing(database: Database, tenant: TenantId, database_urls: Any) -> None:
    await logged(database, tenant, "Frage", "Antwort")
    connection = await asyncpg.connect(database_urls.gateway)

    for statement in (
        "SELECT content FROM content_entries",
        "DELETE FROM content_entries",
        "SELECT private_key FROM content_logs",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
