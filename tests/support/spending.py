"""A gateway that spends: reserves, writes down and records calls on a test's database, alone or as one of many.

As a program: reads an order as JSON, spends until the budget refuses it some times in a row, prints what it saw.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from kontor.billing.metering.budgets.draw import Rates
from kontor.billing.metering.budgets.purses import Exhausted, Purses
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.keys import Key
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import Recorder
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.core.clock import Clock, SystemClock
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id

NANO_OF_OUTPUT = 600  # kontor-demo's shipped price, a token
PLENTY = Rates(10**9, 10**12)


class LooseLink(Link):
    """A link to Postgres that a test can cut."""

    is_cut = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        if self.is_cut:
            raise DatabaseAway("cut by the test")
        async with super().connection() as connection:
            yield connection


class Spender:
    """One gateway process's journal, recorder and purses, with one tenant's key."""

    def __init__(self, url: str, folder: Path, key: Key, *, clock: Clock | None = None, rates: Rates = PLENTY) -> None:
        assert key.tenant is not None
        self.key, self.tenant = key, key.tenant
        self.clock = clock or SystemClock()
        self.seconds = 1000.0
        self.journal = Journal(folder)
        self.link = LooseLink(url)
        self.recorder = Recorder(self.journal, self.link)
        self.purses = Purses(self.link, self.journal.writer, self.clock, rates, lambda: self.seconds)

    async def call(self, *, reserved: int, costs: int | None = None) -> None:
        """One call that reserves and costs so many output tokens. Raises what reserve raises."""
        reservation = await self.purses.reserve(self.key, self.tenant, reserved * NANO_OF_OUTPUT, 1)
        output = reserved if costs is None else costs
        self.journal.close(self.open(), self._call().ended(Tokens(output=output), Outcome.ANSWERED, 1, None))
        reservation.spend(output * NANO_OF_OUTPUT)
        self.purses.release(reservation)

    def open(self) -> Any:
        """A call that has begun."""
        self._begun = Call(
            UsageEventId(new_id(self.clock.now())),
            self.tenant,
            self.key.instance,
            self.key.id,
            "assistant",
            "kontor-demo",
            "builtin",
            Tokens(output=1),
        )
        return self.journal.open(self._begun)

    def _call(self) -> Call:
        return self._begun

    async def close(self) -> None:
        """As a gateway ends."""
        await self.purses.give_back()
        await self.recorder.flush()
        self.journal.end()
        await self.link.close()


@dataclass(frozen=True)
class Spree:
    """What one process did."""

    calls: int
    reserved: int
    beyond: int


async def spree(order: dict[str, Any]) -> Spree:
    """Spends in tokens until refused again and again."""
    key = Key(
        GatewayKeyId(UUID(order["key"])),
        "instance",
        InstanceId(UUID(order["instance"])),
        TenantId(UUID(order["tenant"])),
        "active",
        "de",
        is_revoked=False,
    )
    spender = Spender(order["url"], Path(order["folder"]), key)
    random = Random(order["seed"])  # noqa: S311 - amounts, no secrets
    calls = reserved = beyond = refused = 0
    recording = asyncio.create_task(spender.recorder.run())
    while refused < order["patience"]:
        spender.seconds += 1.5
        try:
            want = random.randint(1, order["most"])
            more = random.choice((0, 0, want // 2))
            await spender.call(reserved=want, costs=want + more)
            calls, reserved, beyond, refused = calls + 1, reserved + want, beyond + more, 0
        except Exhausted:
            refused += 1
            await spender.purses.give_back()
            await asyncio.sleep(0.02)
    recording.cancel()
    await asyncio.gather(recording, return_exceptions=True)
    await spender.close()
    return Spree(calls, reserved, beyond)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()  # all begin together
    sys.stdout.write(json.dumps(asdict(asyncio.run(spree(json.loads(sys.argv[1]))))))
