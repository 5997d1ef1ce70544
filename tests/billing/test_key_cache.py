"""The gateway's memory of keys: true within a second, good for five minutes without Postgres, and no longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.key_cache import GRACE_S, KeyCache, KeysUnavailable
from kontor.billing.metering.link import Link
from kontor.core.crypto import hash_secret
from kontor.core.db import Database
from kontor.core.ids import InstanceId, TenantId, new_id
from support.eventually import eventually


class Watch:
    """A monotonic clock that stands."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def link(database: Database) -> AsyncIterator[Link]:
    made = Link(database.urls.gateway)
    yield made
    await made.close()


async def a_key(database: Database) -> tuple[TenantId, bytes]:
    tenant, instance = TenantId(new_id()), InstanceId(new_id())
    async with database.system_uow() as tx:
        secret = await gateway_keys.issue_key(tx, instance)
        await gateway_keys.bind_key(tx, instance, tenant)
    return tenant, hash_secret(secret)


@asynccontextmanager
async def following(cache: KeyCache) -> AsyncIterator[None]:
    task = asyncio.create_task(cache.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_known_key_outlives_postgres_for_five_minutes_and_no_longer(database: Database, link: Link) -> None:
    tenant, key_hash = await a_key(database)
    watch = Watch()
    cache = KeyCache(link, now=watch)
    assert (await cache.find(key_hash)) is not None

    await link.close()
    link.url = "postgresql://kontor_gateway@127.0.0.1:9/none"
    watch.seconds += GRACE_S
    known = await cache.find(key_hash)
    assert known is not None
    assert known.tenant == tenant
    watch.seconds += 1

    with pytest.raises(KeysUnavailable):
        await cache.find(key_hash)


async def test_a_key_never_seen_is_refused_while_postgres_is_away() -> None:
    cache = KeyCache(Link("postgresql://kontor_gateway@127.0.0.1:9/none"))

    with pytest.raises(KeysUnavailable):
        await cache.find(b"x" * 32)


async def test_a_change_whose_notice_was_lost_is_found_by_the_poll(database: Database, link: Link) -> None:
    tenant, key_hash = await a_key(database)
    cache = KeyCache(link)
    async with following(cache):
        assert (await cache.find(key_hash)) is not None

        async with database.system_uow() as tx:
            sql = (
                "UPDATE gateway_keys SET state = 'suspended', changed_at = clock_timestamp() WHERE tenant_id = :tenant"
            )
            await tx.execute(text(sql), {"tenant": tenant})

        async def is_suspended() -> bool:
            key = await cache.find(key_hash)
            return key is not None and key.state == "suspended"

        await eventually(is_suspended)


async def test_a_wrong_key_is_looked_up_once(link: Link) -> None:
    cache = KeyCache(link)
    assert await cache.find(b"x" * 32) is None

    await link.close()
    link.url = "postgresql://kontor_gateway@127.0.0.1:9/none"

    assert await cache.find(b"x" * 32) is None


async def test_a_key_issued_after_it_was_tried_is_accepted(database: Database, link: Link) -> None:
    cache = KeyCache(link)
    tenant, instance = TenantId(new_id()), InstanceId(new_id())
    async with following(cache):
        async with database.system_uow() as tx:
            secret = await gateway_keys.issue_key(tx, instance)
            await gateway_keys.bind_key(tx, instance, tenant)
            assert await cache.find(hash_secret(secret)) is None  # not committed yet

        async def is_known() -> bool:
            return await cache.find(hash_secret(secret)) is not None

        await eventually(is_known)
