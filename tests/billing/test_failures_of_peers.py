"""What other gateways are known to get wrong, as far as no other test holds it. The whole list: architecture.md."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from kontor.billing.metering import recorder
from kontor.billing.metering.caller import Caller
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.forward import Forwarder, Order
from kontor.billing.metering.keys import Key
from kontor.billing.metering.recorder import BATCH, Recorder
from kontor.billing.metering.usage import Tokens
from kontor.core.clock import SystemClock
from kontor.core.db import Database
from support.forwarding import ANSWER, Providers, Seen, whole
from support.metered import Metered

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("calls", [99, 100, 101, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 1])
async def test_no_row_is_lost_beyond_a_batch(metered: Metered, calls: int) -> None:
    made = {metered.call(NOON + timedelta(seconds=number), Tokens(input=1)) for number in range(calls)}

    assert await metered.record() == calls

    async with metered.database.system_uow() as tx:
        assert set(await tx.scalars(text("SELECT id FROM usage_events"))) == made
    assert await metered.problems() == []


@pytest.fixture
async def tenants(database: Database, tmp_path: Path) -> AsyncIterator[list[Metered]]:
    """Five with usage of their own."""
    made = [await Metered(database, tmp_path / f"journal-{number}").open() for number in range(5)]
    yield made
    for one in made:
        await one.close()


async def test_flushers_do_not_wait_for_each_other_in_a_circle(
    tenants: list[Metered], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writes calls of all tenants, hours and models, in an order of its own."""
    monkeypatch.setattr(recorder, "BATCH", 50)  # many short statements meet more often than a few long ones
    places = [(tenant, NOON + timedelta(hours=hour), f"m{hour}") for tenant in tenants for hour in range(20)]
    turns, journals = 6, [tenant.journal for tenant in tenants]
    for number, journal in enumerate(journals):
        for tenant, at, model in (places[::-1] if number % 2 else places[number * 7 :] + places[: number * 7]) * turns:
            tenant.journal = journal
            tenant.call(at, Tokens(input=1), model=model)

    flushers = [Recorder(journal, tenant.link) for journal, tenant in zip(journals, tenants, strict=True)]
    new = await asyncio.gather(*(flusher.flush() for flusher in flushers))

    for tenant, journal in zip(tenants, journals, strict=True):
        tenant.journal = journal
    assert new == [turns * len(places)] * len(journals)
    assert await tenants[0].problems() == []
    async with database.system_uow() as tx:
        sql = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert (await tx.execute(text(sql))).one().deadlocks == 0


@pytest.mark.parametrize("id_", ["", None, "the-same-for-all", 7], ids=repr)
async def test_an_empty_or_repeated_request_id_is_nobodys_primary_key(
    metered: Metered, providers: Providers, id_: object
) -> None:
    """Ids are ours: what the provider or the caller calls a request does not matter."""
    route = await providers.route(whole(ANSWER | {"id": id_}))
    forwarder = Forwarder(providers.upstreams, metered.journal, SystemClock())
    key = Key(metered.key, "instance", metered.instance, metered.tenant, "active", "de", is_revoked=False)

    for _ in range(3):
        seen = Seen({"model": "assistant", "messages": ["Hallo"]})
        seen.caller = Caller(seen, "POST", "/v1/chat/completions", {b"x-request-id": b""}, is_old=True)
        await forwarder.send(Order(key, metered.tenant, Chat(), seen.asked, route), seen.caller)
        assert orjson.loads(seen.body)["id"] == id_

    assert await metered.record() == 3
    async with metered.database.system_uow() as tx:
        ids = list(await tx.scalars(text("SELECT id FROM usage_events")))
    assert len(set(ids)) == 3
    assert {id_.version for id_ in ids} == {7}
