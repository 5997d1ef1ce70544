"""The AI budget over HTTP: what it shows, and who may cap it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kontor.app.reactions import reactions
from kontor.core.events import subscribers
from kontor.core.ids import PREFIXES, TenantId, decode, encode
from kontor.tenants.people.model import OperatorRole
from support.operators import operator_login
from support.tenants import a_tenant
from support.web import PASSWORD, Web

EURO = 1_000_000_000
NONE = {"cap_eur": None, "day_cap_eur": None}


async def spends(web: Web, nano: int) -> None:
    """The tenants' present months, or pilots, have cost this."""
    async with web.container.database.system_uow() as tx:
        await tx.execute(text("UPDATE budget_periods SET spent_nano = :nano"), {"nano": nano})


async def caps(client: httpx.AsyncClient, etag: str, **values: str | None) -> httpx.Response:
    return await client.put("/api/v1/budget", json={**NONE, **values}, headers={"if-match": etag})


async def test_a_budget_stands_before_anything_was_spent_as_the_plan_will_have_it(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org", seats=10)

        answer = await ada.get("/api/v1/budget")

    shown = answer.json()
    assert answer.headers["etag"] == '"0"'
    assert shown["plan"] == {
        "period": "month",
        "starts_at": "2026-10-31T23:00:00Z",
        "ends_at": "2026-11-30T23:00:00Z",
        "included_eur": "32.000000",  # 120 EUR a month, 8 days of 30
        "cap_eur": None,
        "own_cap_eur": None,
        "highest_cap_eur": None,
        "spent_eur": "0.000000",
        "held_eur": "0.000000",
        "percent": "0.0",
        "alerted_pct": 0,
    }
    assert (shown["day"], shown["unpriced_calls"], shown["alert_steps_pct"]) == (None, 0, [50, 80, 100])


async def test_caps_are_set_by_who_has_seen_the_present_ones(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        without = await ada.put("/api/v1/budget", json=NONE)
        first = await caps(ada, '"0"', cap_eur="20.00", day_cap_eur="1.50")
        stale = await caps(ada, '"0"', cap_eur="30.00")
        await spends(web, 16 * EURO)
        again = await ada.get("/api/v1/budget")
        removed = await caps(ada, again.headers["etag"])
        entry = (await ada.get("/api/v1/audit")).json()["items"][1]

    assert (without.status_code, stale.status_code) == (428, 412)
    assert (first.status_code, first.json()["plan"]["cap_eur"], first.json()["day"]["cap_eur"]) == (
        200,
        "20.000000",
        "1.500000",
    )
    assert again.headers["etag"] == first.headers["etag"] != removed.headers["etag"]
    assert again.json()["plan"]["percent"] == "80.0"
    assert (removed.json()["plan"]["cap_eur"], removed.json()["day"]) == (None, None)
    assert entry["action"] == "budget.caps_set"
    assert (entry["data"]["month_eur"], entry["data"]["day_eur"]) == ("20.00", "1.50")


@pytest.mark.parametrize("eur", ["-1", "1000000.01", "0.001", "NaN", "much", True])
async def test_a_cap_is_an_amount_in_cents(web: Web, eur: Any) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        refused = await ada.put("/api/v1/budget", json={**NONE, "cap_eur": eur}, headers={"if-match": '"0"'})

    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")


async def test_a_pilot_stays_within_its_contract(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org", plan="pilot", seats=5)
        above = await caps(ada, '"0"', cap_eur="25.01")
        below = await caps(ada, '"0"', cap_eur="5")
        await spends(web, 5 * EURO)
        shown = (await ada.get("/api/v1/budget")).json()["plan"]

    assert (above.status_code, above.json()["code"]) == (422, "budget.cap_too_high")
    assert below.status_code == 200
    assert (shown["period"], shown["ends_at"], shown["highest_cap_eur"]) == ("total", None, "25.000000")
    assert (shown["cap_eur"], shown["percent"]) == ("5.000000", "100.0")


async def test_before_the_contracts_there_is_nothing_to_cap(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")

        refused = await caps(ada, '"0"', cap_eur="25")

    assert (refused.status_code, refused.json()["code"]) == (409, "tenant.not_possible")


async def test_billing_caps_and_a_viewer_only_looks(web: Web) -> None:
    statuses = {}
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        for role in ("billing", "viewer"):
            await ada.post("/api/v1/invitations", json={"email": f"{role}@example.org", "role": role})
            async with web.client() as other:
                token = await web.last_token()
                await other.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
                etag = (await other.get("/api/v1/budget")).headers["etag"]
                statuses[role] = (await caps(other, etag, cap_eur="7")).status_code

    assert statuses == {"billing": 200, "viewer": 403}


async def test_the_operator_bounds_a_tenant_and_raises_a_pilots_cap(web: Web) -> None:
    async with web.client() as ada, web.client() as olga, web.client() as fritz:
        company = await web.active(ada, "ada@example.org", plan="pilot", seats=5)
        await operator_login(web, olga)
        await operator_login(web, fritz, OperatorRole.FINANCE)
        path = f"/api/v1/ops/tenants/{company['id']}/budget"

        raised = await olga.put(path, json={"cap_eur": "40"})
        seen = (await fritz.get(path)).json()
        refused = await fritz.put(path, json={"cap_eur": "41"})
        own = await caps(ada, (await ada.get("/api/v1/budget")).headers["etag"], cap_eur="39")
        entries = (await ada.get("/api/v1/audit")).json()["items"]

    assert raised.json()["plan"]["cap_eur"] == seen["operator_cap_eur"] == "40.000000"
    assert refused.status_code == 403
    assert own.json()["plan"]["cap_eur"] == "39.000000"
    acts = [(one["action"], one["actor_kind"]) for one in entries[:2]]
    assert acts == [("budget.caps_set", "person"), ("budget.operator_cap_set", "operator")]


async def test_a_tenant_in_erasure_is_bounded_no_more(web: Web) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(web.container.database))
    async with web.client() as olga:
        await operator_login(web, olga)
        path = f"/api/v1/ops/tenants/{tenant}"
        early = await olga.put(f"{path}/budget", json={"cap_eur": "40"})
        await olga.delete(path)
        late = await olga.put(f"{path}/budget", json={"cap_eur": "40"})
        unknown = await olga.put("/api/v1/ops/tenants/tnt_01h455vb4pex5vsknk084sn02q/budget", json={"cap_eur": "1"})

    assert (early.status_code, late.status_code, unknown.status_code) == (409, 409, 404)


async def test_the_month_that_begins_is_a_new_one(web: Web) -> None:
    web.container.database.subscribe(subscribers(reactions(web.container)))
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        await caps(ada, '"0"', cap_eur="20")
        await spends(web, 20 * EURO)
        before = (await ada.get("/api/v1/budget")).json()["plan"]
        web.container.clock.advance(timedelta(days=8))  # type: ignore[attr-defined]
        after = (await ada.get("/api/v1/budget")).json()["plan"]

    assert (before["percent"], after["percent"]) == ("100.0", "0.0")
    assert after["starts_at"] == before["ends_at"]
    assert (before["included_eur"], after["included_eur"]) == ("32.000000", "120.000000")


async def test_usage_of_all_tenants_is_for_operators(web: Web) -> None:
    async with web.client() as olga:
        await operator_login(web, olga)
        made = [await a_tenant(web.container.database, active=True) for _ in range(3)]
        async with web.container.database.system_uow() as tx:
            for at, tenant, nano in (("2026-11-20", made[0], 5), ("2026-10-31T22:59Z", made[1], 7)):
                await tx.execute(
                    text(
                        "INSERT INTO usage_hourly (tenant_id, hour, model, events, unpriced_events, estimated_events, "
                        "input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano) "
                        "VALUES (:tenant, date_trunc('hour', CAST(CAST(:at AS text) AS timestamptz)), 'm', 3, 1, 2, "
                        "100, 0, 0, 50, 0, :nano)"
                    ),
                    {"tenant": tenant, "at": at, "nano": nano * EURO},
                )
            for day, code, requests in (("2026-11-21", "b", 4), ("2026-11-22", "b", 1), ("2026-10-31", "a", 9)):
                await tx.execute(
                    text("INSERT INTO gateway_refusals VALUES (:tenant, CAST(CAST(:day AS text) AS date), :code, :n)"),
                    {"tenant": made[2], "day": day, "code": code, "n": requests},
                )

        november = (await olga.get("/api/v1/ops/usage")).json()
        october = (await olga.get("/api/v1/ops/usage", params={"from": "2026-10-31", "to": "2026-10-31"})).json()
        first = (await olga.get("/api/v1/ops/usage", params={"limit": 1})).json()
        second = (await olga.get("/api/v1/ops/usage", params={"limit": 1, "cursor": first["next_cursor"]})).json()

    rows = [(TenantId(decode("tnt", one["tenant"])), one["calls"], one["refusals"]) for one in november["items"]]
    assert rows == [(made[2], 0, {"b": 5}), (made[0], 3, {})]
    [sums] = [one for one in november["items"] if one["calls"]]
    assert (sums["input_tokens"], sums["output_tokens"], sums["cost_eur"]) == (100, 50, "5.000000")
    assert (sums["unpriced_calls"], sums["estimated_calls"]) == (1, 2)
    assert [(one["calls"], one["refusals"]) for one in october["items"]] == [(0, {"a": 9}), (3, {})]
    assert first["items"] + second["items"] == november["items"]
    assert second["next_cursor"] is None
