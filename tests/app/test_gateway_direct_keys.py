"""A company's own program from its first key to its last call: API, gateway process and the official client."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from kontor.core.clock import SystemClock
from kontor.core.db import DatabaseUrls
from kontor.core.ids import decode
from support.databases import MASTER_KEY
from support.eventually import eventually
from support.gateway import GatewayRig, chat
from support.web import Web, settings_for


@pytest.fixture
async def office(own_rig: GatewayRig, database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Web]:
    """The API on the database of the test's own gateway, under the same clock."""
    settings = settings_for(database_urls, tmp_path, MASTER_KEY, gateway_public_url=own_rig.gateway.url)
    made = Web(settings, SystemClock())
    yield made
    await made.container.close()


def client_of(key: dict[str, str]) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=key["base_url"], api_key=key["secret"], max_retries=0, timeout=60)


async def made(ada: httpx.AsyncClient, **wanted: str) -> dict[str, str]:
    answer = await ada.post("/api/v1/gateway-keys", json={"name": "Programm", **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def used_up(program: AsyncOpenAI) -> tuple[int, openai.APIStatusError]:
    """How many calls were served until one was refused, and how."""
    for served in range(50):
        try:
            await program.chat.completions.create(**chat("Zähle bis 1000"), max_tokens=4000)
        except openai.APIStatusError as refused:
            return served, refused
    pytest.fail("nothing was refused")


async def test_a_program_calls_a_model_and_its_usage_is_told_by_key(own_rig: GatewayRig, office: Web) -> None:
    async with office.client() as ada:
        company = await office.active(ada, "ada@example.org")
        key = await made(ada)
        async with client_of(key) as program:
            answer = await program.chat.completions.create(**chat("Sag Hallo"))
            models = [one.id async for one in await program.models.list()]

        async def is_told() -> bool:
            [shown] = (await ada.get("/api/v1/gateway-keys")).json()["items"]
            return shown["last_used_at"] is not None and float(shown["month_spent_eur"]) > 0

        await eventually(is_told, what="the key was used")
        budget = (await ada.get("/api/v1/budget")).json()["plan"]
        [shown] = (await ada.get("/api/v1/gateway-keys")).json()["items"]

    tenant = decode("tnt", str(company["id"]))
    [event] = await own_rig.rows("SELECT key_id, instance_id FROM usage_events WHERE tenant_id = $1", tenant)
    assert answer.choices[0].message.content
    assert "assistant" in models
    assert (event["key_id"], event["instance_id"]) == (decode("gwk", key["id"]), None)
    assert budget["spent_eur"] == shown["month_spent_eur"]


async def test_a_cap_of_the_day_answers_402_and_leaves_other_keys_alone(own_rig: GatewayRig, office: Web) -> None:
    async with office.client() as ada:
        await office.active(ada, "ada@example.org")
        capped, free = await made(ada, day_cap_eur="0.01"), await made(ada)
        async with client_of(capped) as program, client_of(free) as other:
            served, refused = await used_up(program)
            await other.chat.completions.create(**chat("Sag Hallo"))
        await own_rig.events()
        spent = {one["id"]: one["day_spent_eur"] for one in (await ada.get("/api/v1/gateway-keys")).json()["items"]}

    assert served > 0
    assert (refused.status_code, refused.code) == (402, "gateway.budget_exhausted")
    assert refused.response.json()["code"] == "gateway.budget_exhausted"
    assert 0 < float(spent[capped["id"]]) <= 0.01


async def test_a_cap_that_an_admin_lowers_stops_programs_of_the_company(own_rig: GatewayRig, office: Web) -> None:
    async with office.client() as ada:
        await office.active(ada, "ada@example.org")
        key = await made(ada)
        async with client_of(key) as program:
            await program.chat.completions.create(**chat("Sag Hallo"))
            etag = (await ada.get("/api/v1/budget")).headers["etag"]
            await ada.put("/api/v1/budget", json={"cap_eur": "0", "day_cap_eur": None}, headers={"if-match": etag})

            async def is_refused() -> bool:
                answer = await own_rig.post(chat("Sag Hallo"), secret=key["secret"])
                return answer.status_code == 402

            await eventually(is_refused, within_s=30, what="the cap holds")


async def test_a_revoked_key_opens_nothing_and_others_go_on(own_rig: GatewayRig, office: Web) -> None:
    async with office.client() as ada:
        await office.active(ada, "ada@example.org")
        gone, good = await made(ada), await made(ada)
        async with client_of(gone) as program, client_of(good) as other:
            await program.chat.completions.create(**chat("Sag Hallo"))
            assert (await ada.delete(f"/api/v1/gateway-keys/{gone['id']}")).status_code == 204

            async def is_refused() -> bool:
                answer = await own_rig.post(chat("Sag Hallo"), secret=gone["secret"])
                return answer.status_code == 401

            await eventually(is_refused, what="the gateway has heard of it")
            with pytest.raises(openai.AuthenticationError) as refused:
                await program.chat.completions.create(**chat("Sag Hallo"))
            await other.chat.completions.create(**chat("Sag Hallo"))

    assert refused.value.response.json()["code"] == "gateway.key_unknown"


async def test_a_key_ends_at_its_expiry(own_rig: GatewayRig, office: Web) -> None:
    async with office.client() as ada:
        await office.active(ada, "ada@example.org")
        key = await made(ada, expires_at="2999-01-01T00:00:00Z")
        good = await own_rig.post(chat("Sag Hallo"), secret=key["secret"])
        await own_rig.rows(
            "UPDATE gateway_keys SET expires_at = now() - interval '1 second', changed_at = clock_timestamp() "
            "WHERE kind = 'direct'"
        )

        async def is_refused() -> bool:
            answer = await own_rig.post(chat("Sag Hallo"), secret=key["secret"])
            return answer.status_code == 401

        await eventually(is_refused, what="the gateway has heard of it")

    assert good.status_code == 200
