"""Re-rating a month of usage: how long it takes, beside the same work call by call.

    .venv/bin/python benchmarks/rerate.py               100,000 events, of which 2,000 call by call
    EVENTS=21000 .venv/bin/python benchmarks/rerate.py  fewer

Starts a Postgres of its own, records unpriced events through the recorder's own statement, sets a price and re-rates
them; finds out that there is nothing left to do; then sets another price and re-rates a sample as one would without
batches: lock, read, update the event, update its hour, commit. After each the sums must be those of the events. The
last line is one JSON object.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.prices import PriceBook
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import BATCH, store
from kontor.billing.metering.rerate import rerate
from kontor.billing.metering.set_price import NewPrice, set_price
from kontor.billing.metering.stored_prices import read_price_book
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.billing.queries import differences
from kontor.core import postgres
from kontor.core.audit import SYSTEM
from kontor.core.clock import FixedClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.db import Database
from kontor.core.embedded import EmbeddedPostgres
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id
from kontor.core.migrate import migrate_async

EVENTS = int(os.environ.get("EVENTS", "100000"))
SAMPLE = int(os.environ.get("SAMPLE", "2000"))
TENANTS = 20
MODELS = ("gpt-4.1-mini", "gpt-5-mini", "claude-haiku-4-5")
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
EVENT = "SELECT * FROM usage_events WHERE day = $1 AND tenant_id = $2 AND id = $3 FOR UPDATE"
STORE_EVENT = """
UPDATE usage_events SET currency = $4, amount_nano = $5, price_id = $6, rate_id = $7, cost_nano = $8
WHERE day = $1 AND tenant_id = $2 AND id = $3
"""
STORE_HOUR = """
UPDATE usage_hourly SET cost_nano = cost_nano + $4
WHERE tenant_id = $1 AND hour = date_trunc('hour', $2::timestamptz, 'UTC') AND model = $3
"""


async def record(database: Database) -> None:
    """EVENTS unpriced events of TENANTS tenants, over four weeks."""
    keys = []
    async with database.system_uow() as tx:
        for _ in range(TENANTS):
            tenant = TenantId(new_id())
            key, _ = await gateway_keys.issue_direct_key(tx, tenant)
            keys.append((tenant, key))
    connection = await asyncpg.connect(database.urls.gateway)
    for first in range(0, EVENTS, BATCH):
        calls = [call(number, *keys[number % TENANTS]) for number in range(first, min(first + BATCH, EVENTS))]
        await store(connection, calls, PriceBook(), new_id())
    await connection.close()


def call(number: int, tenant: TenantId, key: GatewayKeyId) -> Call:
    """The number-th call; they are spread evenly."""
    at = START + (NOW - START) * number / EVENTS
    made = Call(
        UsageEventId(new_id(at)), tenant, InstanceId(new_id()), key, "assistant", MODELS[number % 3], "openai", Tokens()
    )
    return made.ended(Tokens(1000 + number % 977, number % 500, 0, number % 311), Outcome.ANSWERED, 900, 200)


async def new_prices(database: Database, amount: str, begins: datetime) -> None:
    """All models cost something else from an instant on."""
    async with database.system_uow() as tx:
        for model in MODELS:
            new = NewPrice("openai", model, "EUR", Decimal(amount), Decimal(amount) * 4, Decimal(amount) / 10)
            await set_price(tx, SYSTEM, new, begins)


async def in_batches(database: Database) -> int:
    """How many events one run changed."""
    return (await rerate(database, SYSTEM)).events


async def call_by_call(database: Database) -> int:
    """How many of the newest SAMPLE events have another cost, each in a transaction of its own."""
    connection = await asyncpg.connect(database.urls.system)
    book = await read_price_book(connection)
    newest = await connection.fetch("SELECT day, tenant_id, id FROM usage_events ORDER BY at DESC LIMIT $1", SAMPLE)
    for place in newest:
        async with connection.transaction():
            row = await connection.fetchrow(EVENT, *place)
            await connection.execute("SELECT FROM gateway_keys WHERE id = $1 FOR KEY SHARE", row["key_id"])
            tokens = Tokens(row["input_tokens"], row["cached_tokens"], row["cache_write_tokens"], row["output_tokens"])
            cost = book.cost(row["provider"], row["model"], tokens, row["at"])
            await connection.execute(
                STORE_EVENT, *place, cost.currency, cost.amount_nano, cost.price, cost.rate, cost.cost_nano
            )
            more = (cost.cost_nano or 0) - (row["cost_nano"] or 0)
            await connection.execute(STORE_HOUR, row["tenant_id"], row["at"], row["model"], more)
    await connection.close()
    return len(newest)


async def measure(database: Database, run: Callable[[Database], Awaitable[int]]) -> tuple[int, float]:
    """Events that one run changed, and seconds."""
    began = time.perf_counter()
    events = await run(database)
    took = time.perf_counter() - began
    async with database.system_uow() as tx:
        assert not await differences(tx)
    return events, took


async def main(url: str, folder: Path) -> dict[str, float]:
    """The figures."""
    key = bytes(range(32))
    urls = postgres.DatabaseUrls(
        url, *(postgres.role_url(url, f"kontor_{name}", key) for name in ("app", "system", "gateway"))
    )
    await migrate_async(urls)
    database = Database(urls, FixedClock(NOW), Vault(FolderKeyStore(folder / "keys"), key))
    print(f"recording {EVENTS} events")
    await record(database)
    await new_prices(database, "0.4", START)
    events, batched_s = await measure(database, in_batches)
    print(f"in batches: {events} events in {batched_s:.2f} s")
    _, nothing_s = await measure(database, in_batches)
    print(f"nothing to do: {nothing_s:.2f} s")
    await new_prices(database, "0.5", NOW - (NOW - START) * SAMPLE / EVENTS - timedelta(milliseconds=1))
    sample, single_s = await measure(database, call_by_call)
    left, _ = await measure(database, in_batches)
    assert left == 0, "both ways must come to the same"
    print(f"call by call: {sample} events in {single_s:.2f} s")
    await database.close()
    return {
        "events": events,
        "seconds": round(batched_s, 2),
        "events_per_s": round(events / batched_s),
        "nothing_to_do_s": round(nothing_s, 3),
        "call_by_call_events": sample,
        "call_by_call_events_per_s": round(sample / single_s),
        "times_faster": round(events / batched_s / (sample / single_s), 1),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kontor-bench-") as name:
        place = Path(name)
        place.chmod(0o711)
        with EmbeddedPostgres(place, durable=False) as postgres:
            figures = asyncio.run(main(postgres.url, place))
    print(json.dumps(figures))
    sys.exit(0)
