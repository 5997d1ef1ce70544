"""The operator's API: the fleet at a glance, and the acts on one tenant."""

import pytest

from kontor.app.container import Container
from kontor.core.ids import PREFIXES, TenantId, decode, encode
from kontor.tenants.people.model import OperatorRole
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from support.operators import operator_login
from support.talking import ready_assistant, set_instance
from support.tenants import a_tenant
from support.web import Web

ELSEWHERE = "http://127.0.0.1:1"


async def a_tenant_in_service(container: Container, **changes: object) -> str:
    tenant = await a_tenant(container.database, active=True, **changes)
    await ready_assistant(container.database, tenant, ELSEWHERE)
    return encode(PREFIXES["tenant"], tenant)


async def test_the_list_shows_tenants_with_what_their_assistants_do(web: Web) -> None:
    serving = await a_tenant_in_service(web.container)
    waiting = encode(PREFIXES["tenant"], await a_tenant(web.container.database, plan="professional"))
    async with web.client() as olga:
        await operator_login(web, olga)

        listed = (await olga.get("/api/v1/ops/tenants")).json()

    assert [(one["id"], one["state"], one["phase"], one["plan"]) for one in listed["items"]] == [
        (waiting, "onboarding", None, "professional"),
        (serving, "active", "ready", "starter"),
    ]
    assert listed["next_cursor"] is None
    assert "Müller" not in str(listed)


async def test_the_list_goes_on_by_cursor_and_is_narrowed_by_slug_id_and_state(web: Web) -> None:
    made = [await a_tenant_in_service(web.container) for _ in range(3)]
    other = encode(PREFIXES["tenant"], await a_tenant(web.container.database, legal_name="Gärtnerei Weiß"))
    async with web.client() as olga:
        await operator_login(web, olga)

        async def ids(**query: str | int) -> list[str]:
            answer = await olga.get("/api/v1/ops/tenants", params=query)
            assert answer.status_code == 200, answer.text
            return [one["id"] for one in answer.json()["items"]]

        first = (await olga.get("/api/v1/ops/tenants", params={"limit": 3})).json()

        assert [one["id"] for one in first["items"]] == [other, made[2], made[1]]
        assert await ids(limit=3, cursor=first["next_cursor"]) == [made[0]]
        assert await ids(q="weiss") == await ids(q=other) == await ids(state="onboarding") == [other]
        assert await ids(q="%") == []


async def test_a_suspended_tenant_is_resumed_by_the_operator(web: Web) -> None:
    tenant = await a_tenant_in_service(web.container)
    path = f"/api/v1/ops/tenants/{tenant}"
    async with web.client() as olga:
        await operator_login(web, olga)

        suspended = await olga.post(f"{path}/suspension", json={"why": "acceptable_use"})
        shown = (await olga.get(path)).json()
        resumed = await olga.delete(f"{path}/suspension")

    assert suspended.status_code == resumed.status_code == 202
    assert (shown["state"], shown["suspended_for"], shown["phase"]) == ("suspended", "acceptable_use", "suspended")
    assert (resumed.json()["state"], resumed.json()["suspended_for"]) == ("active", None)


async def test_a_tenant_that_is_not_active_yet_cannot_be_suspended(web: Web) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(web.container.database))
    async with web.client() as olga:
        await operator_login(web, olga)

        refused = await olga.post(f"/api/v1/ops/tenants/{tenant}/suspension", json={"why": "operator"})

    assert (refused.status_code, refused.json()["code"]) == (409, "tenant.not_possible")


async def test_a_failed_setup_is_tried_again(web: Web) -> None:
    tenant = await a_tenant_in_service(web.container)
    await set_instance(web.container.database, TenantId(decode("tnt", tenant)), Phase.FAILED, Observed.ABSENT)
    async with web.client() as olga:
        await operator_login(web, olga)

        tried = await olga.post(f"/api/v1/ops/tenants/{tenant}/retry")

    assert (tried.status_code, tried.json()["phase"]) == (202, "provisioning")


async def test_an_erasure_ends_the_assistant_and_stands_in_the_tenants_audit_log_with_who_asked(web: Web) -> None:
    async with web.client() as ada, web.client() as olga:
        company = await web.active(ada, "ada@example.org")
        await operator_login(web, olga)
        before = (await ada.get("/api/v1/audit")).json()["items"][0]

        erased = await olga.delete(f"/api/v1/ops/tenants/{company['id']}")
        again = await olga.delete(f"/api/v1/ops/tenants/{company['id']}")
        shown = (await olga.get(f"/api/v1/ops/tenants/{company['id']}")).json()
        last = (await ada.get("/api/v1/audit")).json()["items"][0]

    assert (erased.status_code, shown["state"]) == (202, "erasing")
    assert again.json() == erased.json()
    assert erased.json()["erasure_id"].startswith("era_")
    assert before["action"] == "tenant.activated"
    assert (last["action"], last["actor_kind"], last["personal"]) == (
        "tenant.erasure_requested",
        "operator",
        {"address": "192.0.2.1"},
    )


async def test_instances_are_listed_with_their_tenant(web: Web) -> None:
    tenant = await a_tenant_in_service(web.container)
    async with web.client() as olga:
        await operator_login(web, olga)

        listed = (await olga.get("/api/v1/ops/instances")).json()["items"]
        none = (await olga.get("/api/v1/ops/instances", params={"phase": "failed"})).json()["items"]

    shown = [(one["tenant"], one["phase"], one["observed"], one["dialect"]) for one in listed]
    assert shown == [(tenant, "ready", "ready", "chat")]
    assert none == []


@pytest.mark.parametrize("role", [OperatorRole.SUPPORT, OperatorRole.FINANCE])
async def test_support_and_finance_read_and_do_not_act(web: Web, role: OperatorRole) -> None:
    tenant = await a_tenant_in_service(web.container)
    path = f"/api/v1/ops/tenants/{tenant}"
    async with web.client() as staff:
        await operator_login(web, staff, role)

        reads = [await staff.get(url) for url in ("/api/v1/ops/tenants", path, "/api/v1/ops/instances")]
        acts = [
            await staff.post(f"{path}/suspension", json={"why": "operator"}),
            await staff.delete(f"{path}/suspension"),
            await staff.post(f"{path}/retry"),
            await staff.delete(path),
        ]

    assert {answer.status_code for answer in reads} == {200}
    assert {answer.status_code for answer in acts} == {403}


async def test_for_a_customer_and_for_an_operator_without_the_second_factor_nothing_is_there(web: Web) -> None:
    tenant = await a_tenant_in_service(web.container)
    async with web.client() as ada, web.client() as olga, web.client() as nobody:
        await web.active(ada, "ada@example.org")
        await operator_login(web, olga)
        email, password = "operator@operator.example", "Drei Äpfel und ein Boot 🚣"
        await olga.delete("/api/v1/sessions/current")
        assert (await olga.post("/api/v1/sessions", json={"email": email, "password": password})).status_code == 200

        answers = [
            (await who.get(path)).status_code
            for who in (ada, olga)
            for path in ("/api/v1/ops/tenants", f"/api/v1/ops/tenants/{tenant}", "/api/v1/ops/instances")
        ]

        assert set(answers) == {404}
        assert (await nobody.get("/api/v1/ops/tenants")).status_code == 401


async def test_a_tenant_that_does_not_exist_is_not_found(web: Web) -> None:
    async with web.client() as olga:
        await operator_login(web, olga)
        path = "/api/v1/ops/tenants/tnt_01h455vb4pex5vsknk084sn02q"

        answers = [
            await olga.get(path),
            await olga.delete(path),
            await olga.post(f"{path}/retry"),
            await olga.post(f"{path}/suspension", json={"why": "operator"}),
        ]

    assert {answer.status_code for answer in answers} == {404}
