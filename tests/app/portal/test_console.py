"""The operator's console: a second factor first, tenants found and handled, nothing that customers wrote."""

import re

import httpx
import pyotp
import pytest

from kontor.core.clock import FixedClock
from kontor.core.ids import TenantId, decode
from kontor.tenants.people import operators
from kontor.tenants.people.model import OperatorRole
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from support.operators import operator_login
from support.talking import ready_assistant, set_instance
from support.web import PASSWORD, Web

BROWSER = {"accept": "text/html"}


async def test_the_staff_comes_in_by_a_second_factor_and_goes_on_where_it_wanted(web: Web) -> None:
    container = web.container
    made = await operators.add(
        container.database, container.passwords, email="ops@example.org", password=PASSWORD, role=OperatorRole.OPERATOR
    )
    async with web.client(**BROWSER) as ops:
        first = await ops.get("/ops/instances")
        await ops.post("/login", data={"email": "ops@example.org", "password": PASSWORD})
        weak = await ops.get("/ops/instances")
        asked = await ops.get(weak.headers["location"])
        wrong = await ops.post("/login/totp", data={"code": "000000", "next": "/ops/instances"})
        odd = await ops.post("/login/totp", data={"code": "abc", "next": "/ops/instances"})
        code = pyotp.TOTP(made.totp_secret).at(container.clock.now())
        proven = await ops.post("/login/totp", data={"code": code, "next": "/ops/instances"})
        inside = await ops.get(proven.headers["location"])
        home = await ops.get("/home")

    assert first.headers["location"] == "/login?next=/ops/instances"
    assert weak.headers["location"] == "/login/totp?next=/ops/instances"
    assert 'value="/ops/instances"' in asked.text
    assert (wrong.status_code, odd.status_code) == (401, 422)
    assert proven.headers["location"] == "/ops/instances"
    assert inside.status_code == 200
    assert home.headers["location"] == "/ops/tenants"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example"])
async def test_the_second_factor_never_leads_to_another_site(web: Web, target: str) -> None:
    async with web.client(**BROWSER) as ops:
        await operator_login(web, ops)

        page = await ops.get("/login/totp", params={"next": target})

    assert "evil" not in page.text


async def _customer(web: Web, client: httpx.AsyncClient) -> tuple[str, str]:
    company = await web.active(client, "ada@example.org")
    await ready_assistant(web.container.database, TenantId(decode("tnt", str(company["id"]))), "http://127.0.0.1:1")
    return str(company["id"]), str(company["slug"])


async def test_a_tenant_is_found_by_name_state_and_phase(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as ops:
        tenant, slug = await _customer(web, ada)
        await operator_login(web, ops)
        wanted = [{}, {"q": slug[:6]}, {"q": tenant}, {"state": "active"}, {"phase": "ready"}, {"state": "nonsense"}]
        unwanted = [{"q": "zzz"}, {"q": "%"}, {"state": "suspended"}, {"phase": "failed"}, {"q": "a\x00b"}]

        for query in wanted:
            assert slug in (await ops.get("/ops/tenants", params=query)).text, query
        for query in unwanted:
            page = await ops.get("/ops/tenants", params=query)
            assert page.status_code == 200
            assert "Kein Mandant passt" in page.text, query
        part = (await ops.get("/ops/tenants", params={"part": "list"})).text
        one = (await ops.get(f"/ops/tenants/{tenant}")).text

    assert "<html" not in part
    assert "1 / 10" in part
    assert "Bäckerei" not in one
    assert "ada@example.org" not in one
    assert "tenant.created" in one


async def test_tenants_come_in_pages_and_the_head_counts_all(web: Web) -> None:
    async with web.client(**BROWSER) as ops:
        await operator_login(web, ops)
        for number in range(3):
            async with web.client() as one:
                await web.with_company(one, f"n{number}@example.org", legal_name=f"Firma {number} GmbH")
        first = (await ops.get("/ops/tenants", params={"limit": 2})).text
        cursor = re.search(r"cursor=([A-Za-z0-9_-]+)", first)
        assert cursor
        second = (await ops.get("/ops/tenants", params={"limit": 2, "cursor": cursor[1]})).text

    assert "3\N{NO-BREAK SPACE}Mandanten" in first
    assert ("firma-2" in first, "firma-0" in first) == (True, False)
    assert ("firma-2" in second, "firma-0" in second) == (False, True)


async def test_a_tenant_is_suspended_resumed_and_erased_by_its_name(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as ops:
        tenant, slug = await _customer(web, ada)
        await operator_login(web, ops)
        path = f"/ops/tenants/{tenant}"

        suspended = await ops.post(f"{path}/suspend", data={"why": "acceptable_use"})
        page = (await ops.get(path)).text
        resumed = await ops.post(f"{path}/resume")
        unnamed = await ops.post(f"{path}/delete", data={"confirm": "falsch"})
        state = (await ada.get("/api/v1/tenant")).json()["state"]
        erased = await ops.post(f"{path}/delete", data={"confirm": slug})
        late = await ops.post(f"{path}/suspend")
        over = (await ops.get(path)).text

    assert suspended.headers["location"] == path
    assert "Nutzungsrichtlinie" in page
    assert f'action="{path}/resume"' in page
    assert f'action="{path}/suspend"' not in page
    assert resumed.status_code == 303
    assert unnamed.status_code == 409
    assert "falsch" in unnamed.text or "genau so ein" in unnamed.text
    assert state == "active"
    assert erased.status_code == 303
    assert late.status_code == 409
    assert 'role="alert"' in late.text
    assert f'action="{path}/' not in over


async def test_a_failed_setup_is_tried_again(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as ops:
        tenant, _ = await _customer(web, ada)
        await set_instance(web.container.database, TenantId(decode("tnt", tenant)), Phase.FAILED, Observed.STOPPED)
        await operator_login(web, ops)

        again = await ops.post(f"/ops/tenants/{tenant}/retry")
        row = (await ops.get(f"/api/v1/ops/tenants/{tenant}")).json()

    assert again.status_code == 303
    assert row["phase"] == "provisioning"


async def test_support_reads_and_does_not_act(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as support:
        tenant, slug = await _customer(web, ada)
        await operator_login(web, support, OperatorRole.SUPPORT)
        path = f"/ops/tenants/{tenant}"

        page = await support.get(path)
        refused = [
            await support.post(f"{path}/{act}", data={"confirm": slug})
            for act in ("suspend", "resume", "retry", "delete")
        ]

    assert page.status_code == 200
    assert f'action="{path}/' not in page.text
    assert [one.status_code for one in refused] == [403] * 4


async def test_an_unknown_tenant_is_not_found(web: Web) -> None:
    async with web.client(**BROWSER) as ops:
        await operator_login(web, ops)
        unknown = "/ops/tenants/tnt_01h455vb4pex5vsknk084sn02q"

        answers = [await ops.get(unknown), await ops.post(f"{unknown}/suspend"), await ops.post(f"{unknown}/delete")]

    assert [one.status_code for one in answers] == [404] * 3


async def test_instances_are_listed_with_the_pool(web: Web, clock: FixedClock) -> None:
    del clock
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as ops:
        await operator_login(web, ops)
        empty = (await ops.get("/ops/instances")).text
        tenant, slug = await _customer(web, ada)

        page = (await ops.get("/ops/instances")).text

    assert "Keine Instanz" in empty
    assert slug in page
    assert f'href="/ops/tenants/{tenant}"' in page
