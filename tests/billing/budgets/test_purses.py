"""Caps and rates that hold: over calls at once, over processes, over deaths, and while Postgres is away."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.budgets import draw
from kontor.billing.metering.budgets.draw import Rates
from kontor.billing.metering.budgets.purses import FRESH_S, GOOD_S, BudgetsUnavailable, Exhausted, TooFast
from kontor.billing.metering.keys import Key
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, new_id
from support.spending import NANO_OF_OUTPUT, PLENTY, Spender

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SUPPORT = Path(__file__).parents[2] / "support"


class Bank:
    """A tenant with a key and budgets, and the gateways that spend from them. Amounts are output tokens."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.clock = FixedClock(NOON)
        self.spenders: list[Spender] = []

    async def open(self) -> None:
        self.tenant, instance = TenantId(new_id()), InstanceId(new_id())
        async with self.database.system_uow() as tx:
            await load_shipped_prices(tx)
            await gateway_keys.issue_key(tx, instance)
            await gateway_keys.bind_key(tx, instance, self.tenant)
            id_ = await tx.scalar(text("SELECT id FROM gateway_keys WHERE instance_id = :i"), {"i": instance})
        assert isinstance(id_, UUID)
        self.key = Key(GatewayKeyId(id_), "instance", instance, self.tenant, "active", "de", is_revoked=False)

    async def budget(self, tokens: int, period: str = "month", key: GatewayKeyId | None = None) -> None:
        async with self.database.system_uow() as tx:
            await tx.execute(
                text(
                    "INSERT INTO budgets (tenant_id, id, key_id, period, cap_nano, since) "
                    "VALUES (:tenant, :id, :key, :period, :cap, :since) "
                    "ON CONFLICT (tenant_id, key_id, period) DO UPDATE SET cap_nano = excluded.cap_nano"
                ),
                {
                    "tenant": self.tenant,
                    "id": new_id(),
                    "key": key,
                    "period": period,
                    "cap": tokens * NANO_OF_OUTPUT,
                    "since": date(2026, 11, 1),
                },
            )

    def gateway(self, *, key: Key | None = None, folder: str = "journal", rates: Rates = PLENTY) -> Spender:
        made = Spender(self.database.urls.gateway, self.folder / folder, key or self.key, clock=self.clock, rates=rates)
        self.spenders.append(made)
        return made

    async def one(self, sql: str) -> Any:
        async with self.database.system_uow() as tx:
            return await tx.scalar(text(sql), {"tenant": self.tenant})

    async def spent(self) -> int:
        """By the budgets' own account, which must be that of the events."""
        by_events = await self.one("SELECT coalesce(sum(cost_nano), 0) FROM usage_events WHERE tenant_id = :tenant")
        by_budget = await self.one(
            "SELECT coalesce(sum(p.spent_nano), 0) FROM budget_periods p JOIN budgets b ON b.id = p.budget_id "
            "WHERE p.tenant_id = :tenant AND b.period = 'month' AND b.key_id IS NULL"
        )
        assert by_events == by_budget
        return int(by_events) // NANO_OF_OUTPUT

    async def leased(self) -> int:
        return int(await self.one("SELECT coalesce(sum(amount_nano), 0) FROM budget_leases WHERE tenant_id = :tenant"))


@pytest.fixture
async def bank(database: Database, tmp_path: Path) -> AsyncIterator[Bank]:
    made = Bank(database, tmp_path)
    await made.open()
    yield made
    for spender in made.spenders:
        spender.link.is_cut = False
        await spender.close()


async def test_calls_are_made_until_the_next_one_does_not_fit(bank: Bank) -> None:
    await bank.budget(100)
    gateway = bank.gateway()

    for _ in range(3):
        await gateway.call(reserved=30)
    with pytest.raises(Exhausted) as refused:
        await gateway.call(reserved=30)
    await gateway.call(reserved=10)

    await gateway.recorder.flush()
    assert refused.value.period == "month"
    assert await bank.spent() == 100
    assert await bank.leased() == 0


async def test_of_two_first_calls_at_once_one_passes(bank: Bank) -> None:
    await bank.budget(100)
    one, other = bank.gateway(), bank.gateway()

    ended = await asyncio.gather(
        *(gateway.call(reserved=60) for gateway in (one, one, other, other)), return_exceptions=True
    )

    assert [error for error in ended if error is None] == [None]
    assert [type(error) for error in ended if error is not None] == [Exhausted] * 3


async def test_what_a_call_costs_beyond_its_reservation_is_missing_from_the_next(bank: Bank) -> None:
    await bank.budget(100)
    gateway = bank.gateway()

    await gateway.call(reserved=10, costs=95)

    await gateway.recorder.flush()
    with pytest.raises(Exhausted):
        await gateway.call(reserved=10)
    await gateway.call(reserved=5)


async def test_a_cap_that_was_lowered_holds_for_what_was_drawn_before_it(bank: Bank) -> None:
    await bank.budget(1600)
    gateway = bank.gateway()
    await gateway.call(reserved=10)
    await gateway.recorder.flush()
    assert await bank.leased() == 90 * NANO_OF_OUTPUT

    await bank.budget(40)
    gateway.seconds += FRESH_S + 1
    with pytest.raises(Exhausted):
        await gateway.call(reserved=20)
    await gateway.purses.give_back()
    gateway.seconds += 2

    await gateway.call(reserved=20)
    await gateway.recorder.flush()
    assert await bank.spent() == 30


async def test_a_tenant_without_a_budget_is_not_held_up(bank: Bank) -> None:
    await bank.gateway().call(reserved=10**6)


async def test_each_budget_of_the_caller_binds_and_others_do_not(bank: Bank) -> None:
    async with bank.database.system_uow() as tx:
        id_, _ = await gateway_keys.issue_direct_key(tx, bank.tenant)
    direct = Key(id_, "direct", None, bank.tenant, "active", "de", is_revoked=False)
    await bank.budget(100)
    await bank.budget(20, "day", id_)
    program, assistant = bank.gateway(key=direct), bank.gateway()

    await program.call(reserved=20)
    with pytest.raises(Exhausted) as refused:
        await program.call(reserved=1)
    await assistant.call(reserved=60)
    with pytest.raises(Exhausted):
        await assistant.call(reserved=60)

    bank.clock.advance(timedelta(days=1))
    program.seconds += 2
    await program.call(reserved=1)
    assert refused.value.period == "day"


async def test_a_new_month_begins_anew(bank: Bank) -> None:
    await bank.budget(10)
    gateway = bank.gateway()
    await gateway.call(reserved=10)

    bank.clock.advance(timedelta(days=8))

    await gateway.call(reserved=10)


async def test_a_lower_cap_holds_within_seconds_and_a_higher_one_too(bank: Bank) -> None:
    await bank.budget(1000)
    gateway = bank.gateway()
    await gateway.call(reserved=10)
    await gateway.recorder.flush()

    await bank.budget(20)
    gateway.seconds += FRESH_S + 1
    with pytest.raises(Exhausted):
        await gateway.call(reserved=100)
    await bank.budget(1000)
    gateway.seconds += FRESH_S + 1

    await gateway.call(reserved=100)


async def test_what_lies_idle_is_somebody_elses(bank: Bank) -> None:
    await bank.budget(1600)
    idle, busy = bank.gateway(), bank.gateway()
    await idle.call(reserved=10)
    with pytest.raises(Exhausted):
        await busy.call(reserved=1550)

    await idle.recorder.flush()
    idle.seconds += 10
    await idle.purses.give_back(idle_s=2)

    busy.seconds += FRESH_S + 1
    await busy.call(reserved=1590)
    await busy.recorder.flush()
    assert await bank.spent() == 1600
    assert await bank.leased() == 0


async def test_the_leases_of_a_dead_process_come_back_with_its_journal(bank: Bank) -> None:
    await bank.budget(1000)
    dead, heir = bank.gateway(), bank.gateway()
    await dead.call(reserved=500)
    dead.open()
    with pytest.raises(Exhausted):
        await heir.call(reserved=501)

    dead.journal.end()  # what is left of it: a segment with one closed and one open call
    heir.seconds += 10
    await heir.recorder.flush()

    assert await bank.spent() == 501
    await heir.call(reserved=499)
    with pytest.raises(Exhausted):
        await heir.call(reserved=1)


async def test_without_postgres_calls_go_on_within_what_was_leased_and_for_a_while(bank: Bank) -> None:
    await bank.budget(1600)
    gateway = bank.gateway()
    await gateway.call(reserved=10)

    gateway.link.is_cut = True
    await gateway.call(reserved=90)
    gateway.seconds += GOOD_S - 1
    with pytest.raises(BudgetsUnavailable):
        await gateway.call(reserved=90)
    gateway.seconds += GOOD_S
    with pytest.raises(BudgetsUnavailable):
        await gateway.call(reserved=1)
    gateway.link.is_cut = False
    gateway.seconds += 2

    await gateway.call(reserved=90)
    assert gateway.journal.writer == gateway.purses.gateway


async def test_a_minute_has_so_many_requests_over_all_gateways(bank: Bank) -> None:
    rates = Rates(requests=40, tokens=10**6)
    gateways = [bank.gateway(rates=rates), bank.gateway(rates=rates)]
    made, refused = 0, []

    for gateway in gateways * 40:
        try:
            await gateway.call(reserved=1)
            made += 1
        except TooFast as error:
            refused.append(error.retry_after_s)

    assert made == 40
    assert set(refused) == {60}
    bank.clock.advance(timedelta(minutes=1))
    await gateways[0].call(reserved=1)


async def test_a_tenant_may_have_limits_of_its_own(bank: Bank) -> None:
    async with bank.database.system_uow() as tx:
        await tx.execute(
            text("INSERT INTO rate_limits (tenant_id, requests, tokens) VALUES (:tenant, 1, 1000)"),
            {"tenant": bank.tenant},
        )
    gateway = bank.gateway()

    await gateway.call(reserved=1)

    with pytest.raises(TooFast):
        await gateway.call(reserved=1)


async def test_minutes_that_are_over_and_leases_of_long_ago_are_swept(bank: Bank) -> None:
    await bank.budget(1000)
    gateway = bank.gateway()
    await gateway.call(reserved=1)
    ages = (
        "UPDATE budget_leases SET expires_at = now() - interval '2 days' WHERE tenant_id = :tenant RETURNING 1",
        "UPDATE rate_windows SET minute = now() - interval '1 hour' WHERE tenant_id = :tenant RETURNING 1",
    )
    assert [await bank.one(sql) for sql in ages] == [1, 1]

    async with gateway.link.connection() as connection:
        await draw.sweep(connection)

    for table in ("budget_leases", "rate_windows"):
        assert await bank.one(f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant") == 0  # noqa: S608


async def test_eight_processes_pass_a_cap_by_no_more_than_what_was_reported_beyond_reservations(bank: Bank) -> None:
    cap, most = 1200, 20
    await bank.budget(cap)
    order = {
        "url": bank.database.urls.gateway,
        "folder": str(bank.folder / "journal"),
        "key": str(bank.key.id),
        "instance": str(bank.key.instance),
        "tenant": str(bank.tenant),
        "most": most,
        "patience": 8,
    }
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(SUPPORT / "spending.py"),
            json.dumps(order | {"seed": seed}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SUPPORT.parent)},
        )
        for seed in range(8)
    ]

    for program in programs:
        assert program.stdout is not None
        assert await program.stdout.readline() == b"ready\n"
    told = await asyncio.gather(*(program.communicate(b"go\n") for program in programs))
    sprees = [json.loads(out) for out, _ in told]

    spent, beyond = await bank.spent(), sum(spree["beyond"] for spree in sprees)
    assert spent == sum(spree["reserved"] for spree in sprees) + beyond
    assert spent <= cap + beyond
    assert spent > cap - most
    assert sum(spree["calls"] > 0 for spree in sprees) > 1
    assert await bank.leased() == 0
