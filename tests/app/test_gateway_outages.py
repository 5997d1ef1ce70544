"""Outages of providers as gateways see them: real processes, providers that recover, kills, an absent database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kontor.billing.metering.health import LONGEST_PAUSE_S
from kontor.billing.metering.outages.queries import outages_since, times_all_down
from support.eventually import eventually
from support.gateway import GatewayRig, chat
from support.moody import Moody, moody

# An open circuit that failed often is left alone for a minute before the next try.
AGAIN_S = LONGEST_PAUSE_S + 60
CATALOGUE = """
[providers.one]
base_url = "{one}"
sub_processor = "mistral-eu"
[providers.two]
base_url = "{two}"
sub_processor = "bedrock-eu"
[models.assistant]
deployments = [{{ provider = "one", model = "m" }}, {{ provider = "two", model = "m" }}]
"""


class World:
    """Two providers behind a gateway that tries the first one first."""

    def __init__(self, rig: GatewayRig, one: Moody, two: Moody, file: Path) -> None:
        self.rig, self.one, self.two, self._file = rig, one, two, file
        file.write_text(CATALOGUE.format(one=one.url, two=two.url))

    def start(self, **env: str) -> None:
        self.rig.gateway = self.rig.start_gateway(KONTOR_MODELS_FILE=str(self._file), **env)

    async def ask(self, times: int = 1) -> list[str]:
        """What the assistants were answered, all at once; each comes by a connection of its own."""
        answers = await asyncio.gather(*[self.rig.post(chat("Hallo")) for _ in range(times)])
        return [answer.json()["choices"][0]["message"]["content"] for answer in answers]

    async def rows(self, deployment: str = "one/m") -> list[asyncpg.Record]:
        sql = "SELECT * FROM provider_outages WHERE deployment = $1 ORDER BY started_at, id"
        return await self.rig.rows(sql, deployment)

    async def all_down(self) -> list[Any]:
        async with self.rig.database.system_uow() as tx:
            [[begin]] = await self.rig.rows("SELECT now() - interval '1 day'")
            return await times_all_down(tx, "assistant", "chat", "eu", start=begin, end=tx.now)


@pytest.fixture
async def world(own_rig: GatewayRig, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        one, two = await stack.enter_async_context(moody()), await stack.enter_async_context(moody())
        yield World(own_rig, one, two, tmp_path / "models.toml")


async def test_an_outage_is_recorded_until_the_provider_answers_and_excludes_only_with_the_other_one(
    world: World,
) -> None:
    world.start()
    world.one.is_down = True
    assert await world.ask(5) == ["Gern."] * 5  # the other one answers
    assert await world.rows("two/m") == []

    async def is_open() -> bool:
        return [row["ended_at"] for row in await world.rows()] == [None]

    await eventually(is_open)
    assert await world.all_down() == []

    world.two.is_down = True
    assert all("nicht erreichbar" in said for said in await world.ask(5))

    async def are_both_down() -> bool:
        return bool(await world.all_down())

    await eventually(are_both_down)
    world.one.is_down = False

    async def is_over() -> bool:
        await world.ask()
        return [row["ended_at"] is not None for row in await world.rows()] == [True]

    await eventually(is_over, within_s=AGAIN_S)
    [first] = await world.rows()
    [second] = await world.rows("two/m")
    assert (first["cause"], first["is_third_party"], first["ended_at"]) == ("failing", True, first["observed_until"])
    assert first["started_at"] < second["started_at"]
    [(start, end)] = await world.all_down()
    assert (start, end) == (second["started_at"], min(first["ended_at"], second["observed_until"]))


async def test_a_gateway_that_is_killed_leaves_an_outage_that_claims_nothing_more(world: World) -> None:
    world.start()
    world.one.is_down = world.two.is_down = True
    await world.ask(5)

    async def is_open() -> bool:
        return len(await world.rows()) == len(await world.rows("two/m")) == 1

    await eventually(is_open)
    world.rig.gateway.kill()
    before = await world.rows()
    world.one.is_down = world.two.is_down = False
    world.start()

    assert await world.ask(3) == ["Gern."] * 3
    world.one.is_down = True
    await world.ask(5)

    async def has_second() -> bool:
        return len(await world.rows()) == 2

    await eventually(has_second)
    [lost, seen] = await world.rows()
    assert [lost] == before
    assert lost["ended_at"] is None
    assert lost["observed_until"] < seen["started_at"]
    assert lost["gateway"] != seen["gateway"]
    for start, end in await world.all_down():
        assert lost["started_at"] <= start < end <= lost["observed_until"]


async def test_two_gateways_write_a_row_each_and_both_are_one_outage(world: World) -> None:
    gateways = []
    for _ in range(2):
        world.start()
        gateways.append(world.rig.gateway)
    world.one.is_down = True
    for world.rig.gateway in gateways:
        await world.ask(5)

    async def have_both_seen_it() -> bool:
        return len({row["gateway"] for row in await world.rows()}) == 2

    await eventually(have_both_seen_it)
    world.one.is_down = False

    async def have_both_seen_its_end() -> bool:
        for world.rig.gateway in gateways:
            await world.ask()
        return all(row["ended_at"] is not None for row in await world.rows())

    await eventually(have_both_seen_its_end, within_s=AGAIN_S)
    rows = await world.rows()
    async with world.rig.database.system_uow() as tx:
        [outage] = await outages_since(tx, rows[0]["started_at"])
    assert len(rows) == 2
    assert (outage.deployment, outage.gateways, outage.is_over) == ("one/m", 2, True)
    assert (outage.started_at, outage.observed_until) == (rows[0]["started_at"], max(r["ended_at"] for r in rows))


async def test_an_outage_while_postgres_is_away_is_written_when_that_is_back(world: World) -> None:
    world.start()
    assert await world.ask() == ["Gern."]
    async with world.rig.without_postgres():
        world.one.is_down = True
        await world.ask(5)
        world.one.is_down = False

        async def answers_again() -> bool:
            asked = world.one.asked
            await world.ask()
            return world.one.asked > asked

        await eventually(answers_again, within_s=AGAIN_S)
        assert await world.rows() == []

    async def is_written() -> bool:
        return [row["ended_at"] is not None for row in await world.rows()] == [True]

    await eventually(is_written, within_s=30)
