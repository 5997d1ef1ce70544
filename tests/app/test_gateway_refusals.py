"""What the gateway answers when it does not forward: in the form that OpenClaw and programs need, at no cost."""

from typing import Any

import httpx
import openai
import pytest

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.answers import PROVIDER_DOWN, RESIDENCY_NOT_SERVED, SUSPENDED, model_unknown
from kontor.core.ids import TenantId
from support.eventually import eventually
from support.gateway import Assistant, GatewayRig, chat
from support.processes import ModelControl


async def is_suspended(rig: GatewayRig, tenant: TenantId, *, to: Any) -> None:
    async with rig.database.system_uow() as tx:
        await gateway_keys.set_key_state(tx, tenant, to)


async def test_a_suspended_assistant_says_so_itself_and_asks_no_model(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    client = rig.client()
    await client.chat.completions.create(**chat("Hallo"))

    await is_suspended(rig, rig.assistant.tenant, to="suspended")

    async def says_so() -> bool:
        answer = await client.chat.completions.create(**chat(marker))
        return answer.choices[0].message.content == SUSPENDED.de

    await eventually(says_so, within_s=3)
    before = model.counts(marker).get("requests", 0)
    stream = await client.chat.completions.create(**chat(marker), stream=True)
    assert "".join([c.choices[0].delta.content or "" async for c in stream]) == SUSPENDED.de
    assert model.counts(marker).get("requests", 0) == before
    await is_suspended(rig, rig.assistant.tenant, to="active")

    async def answers_again() -> bool:
        answer = await client.chat.completions.create(**chat("Zähle bis 2"))
        return answer.choices[0].message.content == "1 2"

    await eventually(answers_again, within_s=3)


async def test_the_notice_is_in_the_tenants_language(rig: GatewayRig) -> None:
    english = await rig.add_assistant(language="en")
    await is_suspended(rig, english.tenant, to="suspended")

    answer = await rig.client(english).chat.completions.create(**chat("Hallo"))

    assert answer.choices[0].message.content == SUSPENDED.en


async def test_an_instance_of_the_pool_may_not_call_before_it_has_a_tenant(rig: GatewayRig) -> None:
    waiting = await rig.add_assistant(is_bound=False)

    refused = await rig.post(chat("Hallo"), secret=waiting.secret)

    assert (refused.status_code, refused.json()["code"]) == (400, "gateway.key_unassigned")
    async with rig.database.system_uow() as tx:
        await gateway_keys.bind_key(tx, waiting.instance, waiting.tenant)

    async def answers() -> bool:
        return (await rig.post(chat("Zähle bis 2"), secret=waiting.secret)).status_code == 200

    await eventually(answers, within_s=3)
    assert len(await rig.events(waiting)) == 1


async def test_a_tenant_whose_data_residency_the_provider_does_not_fit_reaches_no_model(rig: GatewayRig) -> None:
    choosy = await rig.add_assistant(is_bound=False)
    async with rig.database.system_uow() as tx:
        await gateway_keys.bind_key(tx, choosy.instance, choosy.tenant, "de", "on the moon")

    async def told() -> str:
        answer = (await rig.post(chat("Hallo"), secret=choosy.secret)).json()
        return str(answer["choices"][0]["message"]["content"]) if "choices" in answer else ""

    assert await eventually(told, within_s=5) == RESIDENCY_NOT_SERVED.text.de
    assert await rig.events(choosy) == []


async def test_a_revoked_key_is_refused_everywhere_within_a_second(rig: GatewayRig) -> None:
    second = rig.start_gateway()
    urls = [rig.gateway.url, second.url]

    async def statuses() -> set[int]:
        async with httpx.AsyncClient() as http:
            headers = {"authorization": f"Bearer {rig.assistant.secret}"}
            return {(await http.get(f"{url}/v1/models", headers=headers)).status_code for url in urls}

    assert await statuses() == {200}
    async with rig.database.system_uow() as tx:
        await gateway_keys.revoke_instance_key(tx, rig.assistant.instance)

    async def refused() -> bool:
        return await statuses() == {400}

    await eventually(refused, within_s=1)


async def test_an_erased_tenants_key_is_unknown_and_its_usage_stays_away(rig: GatewayRig) -> None:
    from kontor.billing.queries import erase_usage

    await rig.post(chat("Hallo"))
    await rig.events()

    async with rig.database.uow(rig.assistant.tenant) as tx:
        assert await erase_usage(tx, rig.assistant.tenant) == 1

    async def unknown() -> bool:
        return (await rig.post(chat("Hallo"))).status_code == 401

    await eventually(unknown, within_s=3)
    assert await rig.events() == []
    assert await rig.of_tenant("usage_hourly") == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "gateway.key_missing"),
        ("Basic abc", "gateway.key_missing"),
        ("Bearer sk-something-else", "gateway.key_missing"),
        ("Bearer kgw_" + "a" * 43, "gateway.key_unknown"),
    ],
)
async def test_a_wrong_key_reaches_no_model(rig: GatewayRig, header: str, code: str) -> None:
    refused = await rig.post(chat("Hallo"), authorization=header)

    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == code
    assert refused.json()["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\x00", b"\xff\xfe", b'{"model":"assistant"}', b'{"model":"assistant","messages":[]}']
)
async def test_a_broken_body_is_an_invalid_request(rig: GatewayRig, body: bytes) -> None:
    refused = await rig.post(body)

    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert await rig.events() == []


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(rig: GatewayRig) -> None:
    refused = await rig.post(b"x" * 20_000_001)

    assert (refused.status_code, refused.json()["code"]) == (413, "gateway.too_large")


async def test_an_unknown_model_is_refused_with_a_hint(rig: GatewayRig) -> None:
    async with rig.database.system_uow() as tx:
        _, secret = await gateway_keys.issue_direct_key(tx, rig.assistant.tenant)
    program = Assistant(rig.assistant.tenant, rig.assistant.instance, secret)

    with pytest.raises(openai.NotFoundError, match="/v1/models"):
        await rig.client(program).chat.completions.create(**(chat("Hallo") | {"model": "gpt-99"}))
    told = await rig.client().chat.completions.create(**(chat("Hallo") | {"model": "gpt-99"}))

    assert told.choices[0].message.content == model_unknown(is_instance=True).text.de
    assert [model.id async for model in rig.client().models.list()] == ["assistant"]


@pytest.mark.parametrize("path", ["/", "/v1/audio/speech", "/v1/chat/completions/x", "/..%2f", "/v1/%00"])
async def test_an_unknown_route_is_not_found(rig: GatewayRig, path: str) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(rig.gateway.url + path, content=b"{}")

    assert (answer.status_code, answer.json()["code"]) == (404, "gateway.no_such_route")


async def test_a_short_outage_of_the_provider_passes_unseen(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    model.behave(match=marker, times=2, status=503)

    answer = await rig.client().chat.completions.create(**chat(f"Zähle bis 3 {marker}"))

    assert answer.choices[0].message.content == "1 2 3"
    events = await rig.events()
    assert [event["outcome"] for event in events] == ["refused", "refused", "answered"]
    assert sum(event["output_tokens"] for event in events) == model.counts(marker)["output_tokens"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, "down"), (401, "bad key"), (402, "pay"), (429, "slow down"), (400, "insufficient_quota")],
)
async def test_a_provider_that_stays_away_makes_the_assistant_say_so(
    rig: GatewayRig, model: ModelControl, marker: str, status: int, error: str
) -> None:
    model.behave(match=marker, times=9, status=status, error=error, error_code=error)

    answer = await rig.post(chat(marker))

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == PROVIDER_DOWN.de
    assert all(event["outcome"] == "refused" and event["input_tokens"] == 0 for event in await rig.events())


async def test_a_request_that_the_provider_finds_faulty_is_told_to_the_caller(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    model.behave(match=marker, status=422, error="temperature must be a number")

    with pytest.raises(openai.BadRequestError, match="temperature must be a number"):
        await rig.client().chat.completions.create(**chat(marker))


async def test_a_provider_that_is_not_there_costs_nothing(rig: GatewayRig) -> None:
    rig.gateway = rig.start_gateway(OPENAI_BASE_URL="http://127.0.0.1:9/v1", OPENAI_API_KEY="x")

    answer = await rig.client().chat.completions.create(**chat("Hallo"))

    assert answer.choices[0].message.content == PROVIDER_DOWN.de
    assert await rig.events() == []


async def test_a_programs_own_key_gets_proper_statuses(rig: GatewayRig) -> None:
    async with rig.database.system_uow() as tx:
        _, secret = await gateway_keys.issue_direct_key(tx, rig.assistant.tenant)
    assert (await rig.post(chat("Zähle bis 2"), secret=secret)).status_code == 200

    await is_suspended(rig, rig.assistant.tenant, to="suspended")

    async def refused() -> bool:
        return (await rig.post(chat("Hallo"), secret=secret)).status_code == 403

    await eventually(refused, within_s=3)
    assert (await rig.post(chat("x") | {"model": "y"}, secret=secret)).status_code == 403
