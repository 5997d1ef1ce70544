"""The gateway's queue of calls for content logs: what it drops, and what it must not write any more."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.caller import Tape
from kontor.billing.metering.content.switch import switch_off, switch_on
from kontor.billing.metering.content.writer import DROPPED, MOST_ENTRIES, MOST_QUEUED_BYTES, ContentWriter
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.dialects.dialect import Asked
from kontor.billing.metering.forward import Order
from kontor.billing.metering.keys import Key, key_of
from kontor.billing.queries import erase_usage
from kontor.core.audit import SYSTEM
from kontor.core.db import Database, DatabaseUrls
from support.spending import LooseLink
from support.tenants import a_tenant


def passed(answer: bytes = b"Guten Tag") -> Tape:
    """A tape of an answer."""
    tape = Tape(1_000_000)
    tape.begin(200, None)
    tape.add(answer)
    return tape


class Writing:
    """A gateway's writer, and a key of a tenant whose log is on, as the gateway has read it."""

    def __init__(self, database: Database, link: LooseLink, key: Key) -> None:
        assert key.tenant is not None
        self.database, self.link, self.key, self.tenant = database, link, key, key.tenant
        self.writer = ContentWriter(link, database.clock)

    async def put(self, request: bytes = b"Hallo", key: Key | None = None) -> None:
        order = Order(key or self.key, self.tenant, Chat(), Asked({}, "assistant"), ())
        self.writer.put(order, request, passed())

    async def rows(self) -> int:
        async with self.database.system_uow() as tx:
            return int(await tx.scalar(text("SELECT count(*) FROM content_entries")) or 0)


@pytest.fixture
async def writing(database: Database, database_urls: DatabaseUrls) -> AsyncIterator[Writing]:
    tenant = await a_tenant(database, active=True)
    async with database.system_uow() as tx:
        key, _ = await gateway_keys.issue_direct_key(tx, tenant)
    async with database.uow(tenant) as tx:
        await switch_on(tx, tenant, 7, SYSTEM, is_confirmed=True)
    link = LooseLink(database_urls.gateway)
    made = Writing(database, link, await _read(database, key))
    yield made
    await link.close()


async def _read(database: Database, key: Any) -> Key:
    columns = "id, kind, instance_id, tenant_id, state, language, false, residency, pack, content_key, expires_at"
    async with database.system_uow() as tx:
        row = await tx.execute(text(f"SELECT {columns} FROM gateway_keys WHERE id = :id"), {"id": key})  # noqa: S608
        return key_of(tuple(row.one()))  # type: ignore[arg-type]


def dropped(reason: str) -> float:
    return DROPPED.labels(reason)._value.get()  # type: ignore[no-any-return]


async def test_what_was_put_is_written_once(writing: Writing) -> None:
    for _ in range(250):
        await writing.put()

    await writing.writer.flush()
    await writing.writer.flush()

    assert await writing.rows() == 250


async def test_a_key_without_a_content_log_puts_nothing(writing: Writing) -> None:
    async with writing.database.uow(writing.tenant) as tx:
        await switch_off(tx, writing.tenant, SYSTEM)
    key = await _read(writing.database, writing.key.id)

    await writing.put(key=key)
    await writing.writer.flush()

    assert key.content_key is None
    assert await writing.rows() == 0


@pytest.mark.parametrize("how", ["off", "erased"])
async def test_what_still_waits_when_the_log_ends_is_not_written(writing: Writing, how: str) -> None:
    before = dropped("off")
    await writing.put()
    if how == "off":
        async with writing.database.uow(writing.tenant) as tx:
            await switch_off(tx, writing.tenant, SYSTEM)
    else:
        async with writing.database.system_uow() as tx:
            await erase_usage(tx, writing.tenant)

    await writing.writer.flush()

    assert await writing.rows() == 0
    assert dropped("off") == before + 1


async def test_while_postgres_is_away_it_is_dropped_and_not_kept(writing: Writing) -> None:
    before = dropped("away")
    await writing.put()
    writing.link.is_cut = True
    await writing.writer.flush()
    writing.link.is_cut = False
    await writing.put()

    await writing.writer.flush()

    assert await writing.rows() == 1
    assert dropped("away") == before + 1


@pytest.mark.parametrize(("size", "most"), [(1, MOST_ENTRIES), (250_000, MOST_QUEUED_BYTES // 250_009)])
async def test_the_queue_is_bounded_by_calls_and_by_bytes(writing: Writing, size: int, most: int) -> None:
    before = dropped("full")

    for _ in range(most + 3):
        await writing.put(b"x" * size)

    assert dropped("full") == before + 3
