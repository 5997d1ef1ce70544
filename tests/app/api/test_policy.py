"""What the acceptable-use policy refused, over HTTP and in the portal: counts, never words."""

from datetime import date

import pytest

from kontor.billing.metering.model import PolicyHits
from kontor.core.db import Database
from kontor.core.ids import PREFIXES, TenantId, decode, encode
from kontor.tenants.people.model import OperatorRole
from support.operators import operator_login
from support.tenants import a_tenant
from support.web import Web


async def refused(database: Database, tenant: TenantId, day: int, category: str, hits: int) -> None:
    async with database.system_uow() as tx:
        tx.add(PolicyHits(tenant_id=tenant, day=date(2026, 11, day), category=category, hits=hits))


async def test_a_company_reads_its_own_hits_by_day_and_category_in_its_language(web: Web) -> None:
    async with web.client() as ada, web.client(**{"accept-language": "en"}) as bob:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        await web.active(bob, "bob@example.org", legal_name="Andere GmbH")
        for day, category, hits in ((20, "spam_fraud", 2), (21, "spam_fraud", 1), (21, "own_rule", 7)):
            await refused(web.container.database, tenant, day, category, hits)

        told = (await ada.get("/api/v1/policy-hits")).json()
        in_english = (await ada.get("/api/v1/policy-hits", headers={"accept-language": "en"})).json()
        one_day = (await ada.get("/api/v1/policy-hits", params={"from": "2026-11-20", "to": "2026-11-20"})).json()
        of_bob = (await bob.get("/api/v1/policy-hits")).json()
        upside_down = await ada.get("/api/v1/policy-hits", params={"from": "2026-11-20", "to": "2026-11-19"})

    assert (told["from"], told["to"], told["total"]) == ("2026-11-01", "2026-11-23", 10)
    assert [(row["date"], row["category"], row["hits"]) for row in told["rows"]] == [
        ("2026-11-20", "spam_fraud", 2),
        ("2026-11-21", "own_rule", 7),
        ("2026-11-21", "spam_fraud", 1),
    ]
    assert [(one["name"], one["hits"]) for one in told["categories"]] == [("own_rule", 7), ("Spam und Betrug", 3)]
    assert in_english["categories"][1]["name"] == "Spam and fraud"
    assert one_day["total"] == 2
    assert (of_bob["rows"], of_bob["total"]) == ([], 0)
    assert (upside_down.status_code, upside_down.json()["code"]) == (422, "usage.period")


@pytest.mark.parametrize(
    ("lang", "empty", "category", "advice"),
    [
        ("de", "In diesem Monat nichts abgelehnt", "Massenüberwachung", "Ab 5 Treffern in 7 Tagen"),
        ("en", "Nothing refused in this month", "Mass surveillance", "From 5 hits in 7 days on"),
    ],
)
async def test_the_portal_shows_a_month_and_says_what_it_means(
    web: Web, lang: str, empty: str, category: str, advice: str
) -> None:
    async with web.client(**{"accept": "text/html", "accept-language": lang}) as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        before = (await ada.get("/policy")).text
        await refused(web.container.database, tenant, 20, "mass_surveillance", 3)

        after = (await ada.get("/policy")).text
        october = (await ada.get("/policy", params={"month": "2026-10"})).text

    assert empty in before
    assert empty in october
    assert category in after
    assert empty not in after
    assert advice in after


async def test_operators_see_all_tenants_the_highest_first_or_one(web: Web) -> None:
    database = web.container.database
    few, many = [await a_tenant(database, active=True) for _ in range(2)]
    await refused(database, few, 23, "weapons", 2)
    await refused(database, many, 22, "weapons", 4)
    await refused(database, many, 10, "weapons", 50)
    async with web.client() as olga:
        await operator_login(web, olga, OperatorRole.SUPPORT)

        week = (await olga.get("/api/v1/ops/policy-hits")).json()
        month = (await olga.get("/api/v1/ops/policy-hits", params={"days": 30})).json()
        only = (await olga.get("/api/v1/ops/policy-hits", params={"tenant": encode(PREFIXES["tenant"], few)})).json()
        page = (
            await olga.get(f"/ops/tenants/{encode(PREFIXES['tenant'], many)}", headers={"accept": "text/html"})
        ).text

    assert (week["from"], week["to"]) == ("2026-11-17", "2026-11-23")
    assert [one["hits"] for one in week["items"]] == [4, 2]
    assert [one["hits"] for one in month["items"]] == [54, 2]
    assert [(one["tenant"], one["hits"], one["last"]) for one in only["items"]] == [
        (encode(PREFIXES["tenant"], few), 2, "2026-11-23")
    ]
    assert week["items"][0]["slug"].startswith("mueller")
    assert ">54<" in page
