"""Keys for a company's own programs over HTTP: made, listed, revoked."""

from typing import Any

import pytest

from support.web import Web

CAPPED = {"name": "Angebote", "month_cap_eur": "20", "day_cap_eur": "1.50", "expires_at": "2027-01-01T00:00:00+01:00"}


async def test_a_key_is_made_and_its_secret_is_shown_once(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        made = await ada.post("/api/v1/gateway-keys", json=CAPPED)
        listed = (await ada.get("/api/v1/gateway-keys")).json()

    key = made.json()
    secret, base_url = key.pop("secret"), key.pop("base_url")
    assert made.status_code == 201
    assert listed == {"items": [key], "next_cursor": None}
    assert secret.startswith("kgw_")
    assert secret.startswith(key["hint"])
    assert base_url == "http://127.0.0.1:8081/v1"
    assert (key["name"], key["expires_at"]) == ("Angebote", "2026-12-31T23:00:00Z")
    assert (key["month_cap_eur"], key["day_cap_eur"]) == ("20.000000", "1.500000")
    assert (key["month_spent_eur"], key["day_spent_eur"]) == ("0.000000", "0.000000")
    assert (key["last_used_at"], key["revoked_at"]) == (None, None)


async def test_the_same_request_again_makes_no_second_key(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        once = {"idempotency-key": "one"}

        first = await ada.post("/api/v1/gateway-keys", json={"name": "a"}, headers=once)
        again = await ada.post("/api/v1/gateway-keys", json={"name": "a"}, headers=once)

        assert first.json() == again.json()
        assert len((await ada.get("/api/v1/gateway-keys")).json()["items"]) == 1


async def test_the_list_goes_on_by_cursor_and_keeps_revoked_keys(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        ids = [(await ada.post("/api/v1/gateway-keys", json={"name": name})).json()["id"] for name in ("a", "b", "c")]
        for _ in range(2):
            assert (await ada.delete(f"/api/v1/gateway-keys/{ids[1]}")).status_code == 204

        first = (await ada.get("/api/v1/gateway-keys", params={"limit": 2})).json()
        rest = (await ada.get("/api/v1/gateway-keys", params={"limit": 2, "cursor": first["next_cursor"]})).json()
        entries = [one["action"] for one in (await ada.get("/api/v1/audit")).json()["items"][:4]]

    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]
    assert [one["revoked_at"] is None for one in first["items"]] == [True, False]
    assert rest["next_cursor"] is None
    assert entries == ["gateway_key.revoked", *["gateway_key.created"] * 3]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": ""}, "request.invalid"),
        ({"name": "a", "day_cap_eur": "-1"}, "request.invalid"),
        ({"name": "a", "scopes": ["chat"]}, "request.invalid"),
        ({"name": "a", "expires_at": "2026-11-23T08:00:00Z"}, "gateway_key.expiry"),
        ({"name": "a", "expires_at": "2027-01-01T00:00:00"}, "gateway_key.expiry"),
    ],
)
async def test_what_does_not_fit_is_refused(web: Web, wrong: Any, code: str) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        refused = await ada.post("/api/v1/gateway-keys", json=wrong)

    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_a_company_that_is_not_active_gets_no_key(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")

        refused = await ada.post("/api/v1/gateway-keys", json={"name": "a"})

    assert (refused.status_code, refused.json()["code"]) == (409, "tenant.not_possible")


async def test_a_pilots_key_is_bound_by_the_pilots_cap_before_its_assistant_is_there(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org", plan="pilot", seats=5)

        await ada.post("/api/v1/gateway-keys", json={"name": "a"})
        budget = await ada.get("/api/v1/budget")

    assert budget.headers["etag"] == '"1"'
    assert budget.json()["plan"]["cap_eur"] == "25.000000"
