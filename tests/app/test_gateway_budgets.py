"""What a used-up budget, a full minute and a missing price are to an assistant and to a program."""

from typing import Any

from sqlalchemy import text

from kontor.billing import plans, queries
from kontor.billing.metering import gateway_keys
from kontor.billing.metering.answers import exhausted
from kontor.billing.metering.budgets.limits import recount, set_budget, set_plan_budget
from kontor.core.ids import GatewayKeyId, InstanceId, new_id
from support.eventually import eventually
from support.gateway import Assistant, GatewayRig, chat
from support.processes import ModelControl

EURO = 1_000_000_000


async def program(rig: GatewayRig, of: Assistant) -> tuple[GatewayKeyId, Assistant]:
    async with rig.database.system_uow() as tx:
        key, secret = await gateway_keys.issue_direct_key(tx, of.tenant)
    return key, Assistant(of.tenant, InstanceId(new_id()), secret)


async def caps(rig: GatewayRig, nano: int, key: GatewayKeyId | None = None, period: Any = "month") -> None:
    async with rig.database.system_uow() as tx:
        await set_budget(tx, rig.assistant.tenant, period, cap_nano=nano, key=key)


async def test_an_assistant_says_that_its_budget_is_used_up_and_asks_no_model(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    await caps(rig, 1)

    answer = await rig.client().chat.completions.create(**chat(marker))
    stream = await rig.client().chat.completions.create(**chat(marker), stream=True)

    assert answer.choices[0].message.content == exhausted("month").text.de
    assert "".join([c.choices[0].delta.content or "" async for c in stream]) == exhausted("month").text.de
    assert model.counts(marker).get("requests", 0) == 0
    assert await rig.events() == []


async def test_a_program_gets_402_and_only_its_own_keys_budget_binds_it(rig: GatewayRig) -> None:
    key, bound = await program(rig, rig.assistant)
    _, free = await program(rig, rig.assistant)
    await caps(rig, 1, key, "day")

    refused = await rig.post(chat("Hallo"), secret=bound.secret)
    answered = await rig.post(chat("Hallo"), secret=free.secret)

    assert (refused.status_code, refused.json()["code"]) == (402, "gateway.budget_exhausted")
    assert refused.json()["error"]["type"] == "insufficient_quota"
    assert answered.status_code == 200


async def test_what_was_refused_is_counted_by_tenant_and_code(rig: GatewayRig) -> None:
    _, caller = await program(rig, rig.assistant)
    await caps(rig, 1)
    for secret in (rig.assistant.secret, caller.secret, caller.secret):
        await rig.post(chat("Hallo"), secret=secret)
    await rig.post(chat("Hallo") | {"model": "none"}, secret=caller.secret)
    await rig.post(chat("Hallo"), secret="kgw_nobodys")

    async def counts() -> dict[str, int]:
        return {row["code"]: row["requests"] for row in await rig.of_tenant("gateway_refusals")}

    async def are_written() -> bool:
        return len(await counts()) == 2

    await eventually(are_written, within_s=10)
    assert await counts() == {"gateway.budget_exhausted": 3, "gateway.model_unknown": 1}


async def test_what_is_spent_is_what_the_events_cost_also_before_there_was_a_budget(rig: GatewayRig) -> None:
    await rig.client().chat.completions.create(**chat("Zähle bis 20"))
    await rig.events()
    await caps(rig, EURO)
    await rig.client().chat.completions.create(**chat("Zähle bis 30"), max_tokens=100)

    cost = sum(event["cost_nano"] for event in await rig.events())

    [period] = await rig.of_tenant("budget_periods")
    assert period["spent_nano"] == cost
    async with rig.database.system_uow() as tx:
        await recount(tx, rig.assistant.tenant)
    assert (await rig.of_tenant("budget_periods"))[0]["spent_nano"] == cost


async def test_more_requests_than_a_minute_has_are_429_to_a_program(rig: GatewayRig) -> None:
    _, caller = await program(rig, rig.assistant)
    async with rig.database.system_uow() as tx:
        await tx.execute(
            text("INSERT INTO rate_limits (tenant_id, requests, tokens) VALUES (:tenant, 3, 1000000)"),
            {"tenant": caller.tenant},
        )

    statuses = [(await rig.post(chat("Hallo"), secret=caller.secret)).status_code for _ in range(8)]
    refused = await rig.post(chat("Hallo"), secret=caller.secret)

    assert statuses.count(200) in {3, 4, 5, 6}  # two minutes at most
    assert 429 in statuses
    if refused.status_code == 429:
        assert refused.json()["code"] == "gateway.rate_limited"
        assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_a_model_without_a_price_is_served_and_recorded_as_unpriced_or_refused(own_rig: GatewayRig) -> None:
    nameless = {"KONTOR_MODEL": "nobody-knows-its-price"}
    own_rig.gateway = own_rig.start_gateway(**nameless)
    served = await own_rig.post(chat("Hallo"))
    [event] = await own_rig.events()

    own_rig.gateway = own_rig.start_gateway(**nameless, KONTOR_UNPRICED="refuse")
    _, caller = await program(own_rig, own_rig.assistant)
    refused = await own_rig.post(chat("Hallo"), secret=caller.secret)

    assert (served.status_code, event["cost_nano"]) == (200, None)
    assert (refused.status_code, refused.json()["code"]) == (403, "gateway.unpriced")


async def test_a_plan_includes_its_budget_and_a_pilots_is_a_cap(rig: GatewayRig) -> None:
    prices, tenant = plans.load(), rig.assistant.tenant
    async with rig.database.system_uow() as tx:
        await set_plan_budget(tx, tenant, prices, "starter", 5, is_pilot=True)
    [pilot] = await rig.of_tenant("budgets")

    async with rig.database.system_uow() as tx:
        await set_plan_budget(tx, tenant, prices, "professional", 10, is_pilot=False)
    [paid] = await rig.of_tenant("budgets")

    assert (pilot["period"], pilot["cap_nano"]) == ("total", 25 * EURO)
    assert (paid["period"], paid["cap_nano"], paid["allowance_nano"]) == ("month", None, 120 * EURO)


async def test_an_erasure_leaves_no_budget_and_no_counts(rig: GatewayRig) -> None:
    await rig.post(chat("Hallo") | {"model": "none"})
    await caps(rig, EURO)
    await rig.client().chat.completions.create(**chat("Hallo"))
    await rig.events()

    async with rig.database.system_uow() as tx:
        await queries.erase_usage(tx, rig.assistant.tenant)

    for table in ("budgets", "budget_periods", "budget_leases", "rate_windows", "gateway_refusals"):
        assert await rig.of_tenant(table) == []
