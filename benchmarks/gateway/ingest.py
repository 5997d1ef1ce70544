"""From the journal into Postgres over one connection: events a second, with rollups and what budgets have spent."""

import asyncio
import time
from pathlib import Path
from typing import Final

import asyncpg
from servers import MASTER_KEY, urls_of

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.budgets.limits import set_budget
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import BATCH, store
from kontor.billing.metering.stored_prices import read_price_book
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.core import db, postgres
from kontor.core.clock import SystemClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id
from kontor.core.migrate import migrate_async

EVENTS: Final = 40_000
TENANTS: Final = 200

_KEY: Final = "SELECT id FROM gateway_keys WHERE instance_id = $1"


def ingest_per_s(folder: Path, postgres: str) -> float:
    """Events a second."""
    folder.mkdir(mode=0o755)
    return asyncio.run(_ingest(folder, postgres))


async def _ingest(folder: Path, postgres: str) -> float:
    urls = urls_of(postgres)
    await migrate_async(urls)
    keys = await _keys(urls, folder)
    journal = Journal(folder / "journal")
    for number in range(EVENTS):
        tenant, instance, key = keys[number % TENANTS]
        tokens = Tokens(1000 + number % 977, number % 500, 0, number % 311)
        call = Call(UsageEventId(new_id()), tenant, instance, key, "assistant", "gpt-4.1-mini", "openai", tokens)
        journal.close(journal.open(call), call.ended(tokens, Outcome.ANSWERED, 900, 200))
    connection = await asyncpg.connect(urls.gateway)
    prices = await read_price_book(connection)
    began = time.monotonic()
    new = 0
    for batch in journal.batches(BATCH):
        new += await store(connection, batch.calls, prices, journal.writer)
        journal.committed(batch)
    took_s = time.monotonic() - began
    await connection.close()
    journal.end()
    assert new == EVENTS
    return EVENTS / took_s


async def _keys(urls: postgres.DatabaseUrls, folder: Path) -> list[tuple[TenantId, InstanceId, GatewayKeyId]]:
    """Tenants with a budget, and their instances' keys."""
    database = db.Database(urls, SystemClock(), Vault(FolderKeyStore(folder / "keys"), MASTER_KEY))
    made = [(TenantId(new_id()), InstanceId(new_id())) for _ in range(TENANTS)]
    async with database.system_uow() as tx:
        await load_shipped_prices(tx)
        for tenant, instance in made:
            await gateway_keys.issue_key(tx, instance)
            await gateway_keys.bind_key(tx, instance, tenant)
            await set_budget(tx, tenant, "month", cap_nano=10**15)
    await database.close()
    owner = await asyncpg.connect(urls.owner)
    keys = [GatewayKeyId(await owner.fetchval(_KEY, instance)) for _, instance in made]
    await owner.close()
    return [(*both, key) for both, key in zip(made, keys, strict=True)]
