"""Revision 0002 on a database that already holds prices and usage."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import pytest

from kontor.core.migrate import migrate_async
from kontor.core.postgres import DatabaseUrls
from support.databases import in_database, roles_of, sql


@pytest.fixture
def at_0001(postgres: str) -> Iterator[DatabaseUrls]:
    name = f"m_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name}"))
    urls = roles_of(in_database(postgres, name))
    asyncio.run(migrate_async(urls, "0001"))
    yield urls
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


PRICE = """
INSERT INTO model_prices (id, provider, model, currency, input_nano_per_million, cached_nano_per_million,
  cache_write_nano_per_million, output_nano_per_million, valid_from)
VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8::text::timestamptz)
"""
EVENT = """
INSERT INTO usage_events (day, tenant_id, id, key_id, model_asked, model, provider, input_tokens, cached_tokens,
  cache_write_tokens, output_tokens, reasoning_tokens, currency, amount_nano, price_id, cost_nano, source, outcome,
  latency_ms, at)
SELECT '2026-11-23', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'assistant', model, provider, 10, 0, 0, 5,
  0, currency, 7, id, 7, 'reported', 'answered', 3, '2026-11-23T12:00:00Z' FROM model_prices
"""
OLD = "2026-01-01T00:00:00Z"


async def test_nothing_is_lost_and_what_an_operator_wrote_is_told_from_what_was_shipped(at_0001: DatabaseUrls) -> None:
    connection = await asyncpg.connect(at_0001.owner)
    for row in (
        ("openai", "gpt-4.1-mini", "USD", 400_000_000, 100_000_000, None, 1_600_000_000, OLD),
        ("anthropic", "claude-haiku-4-5", "USD", 1_000_000_000, 100_000_000, 1_250_000_000, 5_000_000_000, OLD),
        ("openai", "gpt-4.1-mini", "USD", 500_000_000, 100_000_000, None, 1_600_000_000, "2026-11-05T00:00:00Z"),
        ("openai", "gpt-5-mini", "USD", 260_000_000, 25_000_000, None, 2_000_000_000, OLD),  # changed in place
        ("ollama", "llama3.2", "EUR", 0, None, None, 0, OLD),
    ):
        await connection.execute(PRICE, *row)
    await connection.execute(EVENT)
    everything = "SELECT * FROM model_prices ORDER BY id", "SELECT * FROM usage_events ORDER BY id"
    before = [[dict(row) for row in await connection.fetch(query)] for query in everything]

    await migrate_async(at_0001)

    after = [[dict(row) for row in await connection.fetch(query)] for query in everything]
    found = {(row["model"], row["input_nano_per_million"]): row.pop("source") for row in after[0]}
    await connection.close()
    assert after == before
    assert found == {
        ("gpt-4.1-mini", 400_000_000): "shipped",
        ("claude-haiku-4-5", 1_000_000_000): "shipped",
        ("gpt-4.1-mini", 500_000_000): "operator",
        ("gpt-5-mini", 260_000_000): "operator",
        ("llama3.2", 0): "operator",
    }


async def test_the_code_before_it_goes_on_loading_what_is_shipped(at_0001: DatabaseUrls) -> None:
    await migrate_async(at_0001)
    connection = await asyncpg.connect(at_0001.system)

    await connection.execute(PRICE, "openai", "gpt-6", "USD", 1, None, None, 1, OLD)

    assert await connection.fetchval("SELECT source FROM model_prices") == "shipped"
    await connection.close()
