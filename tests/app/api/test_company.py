"""From an account to an active company: data, contracts, members, keys."""

import re

from support.web import COMPANY, PASSWORD, Web


async def test_a_company_with_accepted_contracts_is_active(web: Web) -> None:
    async with web.client() as ada:
        made = await web.active(ada, "ada@example.org")

        read = await ada.get("/api/v1/tenant")

    assert made["state"] == "onboarding"
    assert read.json()["state"] == "active"
    assert read.json()["legal_name"] == COMPANY["legal_name"]
    assert read.headers["etag"] == '"1"'
    assert re.fullmatch(r"tnt_[0-7][0-9a-z]{25}", read.json()["id"])


async def test_a_company_without_all_acceptances_stays_closed(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")
        first = next(one for one in (await ada.get("/api/v1/contracts")).json() if one["must_accept"])
        signature = {name: first[name] for name in ("kind", "version", "language", "sha256")}

        accepted = await ada.post("/api/v1/contracts/acceptances", json={"documents": [signature]})

        assert accepted.json() == {"is_complete": False}
        assert (await ada.get("/api/v1/tenant")).json()["state"] == "onboarding"


async def test_a_text_that_is_not_the_shown_one_cannot_be_accepted(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")
        first = next(one for one in (await ada.get("/api/v1/contracts")).json() if one["must_accept"])
        signature = {name: first[name] for name in ("kind", "version", "language")} | {"sha256": "0" * 64}

        refused = await ada.post("/api/v1/contracts/acceptances", json={"documents": [signature]})

    assert (refused.status_code, refused.json()["code"]) == (409, "contracts.text_changed")


async def test_an_accepted_text_is_kept_as_it_was_shown(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        shown = (await ada.get("/api/v1/contracts/terms")).json()

        kept = (await ada.get("/api/v1/contracts/terms/accepted")).json()
        pdf = await ada.get("/api/v1/contracts/terms/pdf")

    assert (kept["text"], kept["sha256"]) == (shown["text"], shown["sha256"])
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")


async def test_who_is_no_business_is_told_so(web: Web) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")

        refused = await ada.post("/api/v1/tenants", json={**COMPANY, "is_business": False})

    assert (refused.status_code, refused.json()["code"]) == (422, "company.not_a_business")


async def test_two_admins_who_meet_do_not_overwrite_each_other(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")
        seen = (await ada.get("/api/v1/tenant")).headers["etag"]

        without = await ada.patch("/api/v1/tenant", json={"city": "Ulm"})
        first = await ada.patch("/api/v1/tenant", json={"city": "Ulm"}, headers={"if-match": seen})
        second = await ada.patch("/api/v1/tenant", json={"city": "Bonn"}, headers={"if-match": seen})

    assert without.status_code == 428
    assert first.json()["city"] == "Ulm"
    assert second.status_code == 412


async def test_a_repeated_post_with_one_key_makes_one_company_and_gives_the_first_answer(web: Web) -> None:
    async with web.client() as ada:
        await web.signed_up(ada, "ada@example.org")
        key = {"idempotency-key": "sign-up-1"}

        first = await ada.post("/api/v1/tenants", json=COMPANY, headers=key)
        second = await ada.post("/api/v1/tenants", json=COMPANY, headers=key)
        other = await ada.post("/api/v1/tenants", json={**COMPANY, "city": "Ulm"}, headers=key)
        me = (await ada.get("/api/v1/me")).json()

    assert second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency.key_reused"
    assert len(me["memberships"]) == 1


async def test_an_api_key_is_shown_once_works_by_scope_and_ends_when_revoked(web: Web) -> None:
    async with web.client() as ada, web.client() as program:
        await web.active(ada, "ada@example.org")
        made = (await ada.post("/api/v1/api-keys", json={"name": "Webseite 🌐", "scopes": ["read"]})).json()
        bearer = {"authorization": f"Bearer {made['secret']}"}
        del program.headers["origin"]

        allowed = await program.get("/api/v1/tenant", headers=bearer)
        not_in_scope = await program.get("/api/v1/members", headers=bearer)
        listed = (await ada.get("/api/v1/api-keys")).json()["items"]
        await ada.delete(f"/api/v1/api-keys/{made['id']}")
        revoked = await program.get("/api/v1/tenant", headers=bearer)

    assert allowed.status_code == 200
    assert not_in_scope.status_code == 403
    assert revoked.status_code == 401
    assert [(one["name"], one["hint"], "secret" in one) for one in listed] == [
        ("Webseite 🌐", made["secret"][:14], False)
    ]


async def test_an_invited_colleague_joins_by_the_link_and_works_in_two_companies(web: Web) -> None:
    async with web.client() as ada, web.client() as bob:
        first = await web.active(ada, "ada@example.org")
        own = await web.active(bob, "bob@example.org", legal_name="Bobs Werkstatt")
        await ada.post("/api/v1/invitations", json={"email": "bob@example.org", "role": "admin"})
        token = await web.last_token()
        offer = (await bob.post("/api/v1/invitations/lookup", json={"token": token})).json()

        joined = await bob.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})

        assert offer == {
            "company": COMPANY["legal_name"],
            "email": "bob@example.org",
            "role": "admin",
            "has_account": True,
        }
        assert joined.json() == {"tenant_id": first["id"]}
        assert (await bob.get("/api/v1/tenant")).json()["id"] == first["id"]
        assert (await bob.put("/api/v1/me/active-tenant", json={"tenant_id": own["id"]})).status_code == 204
        assert (await bob.get("/api/v1/tenant")).json()["id"] == own["id"]
        used = await bob.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
        assert used.json()["code"] == "link.used"


async def test_members_never_exceed_seats(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org", seats=2)
        first = await ada.post("/api/v1/invitations", json={"email": "bob@example.org"})

        second = await ada.post("/api/v1/invitations", json={"email": "eve@example.org"})

    assert first.status_code == 201
    assert second.json()["code"] == "members.seats"


async def test_the_last_owner_stays(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        me = (await ada.get("/api/v1/members")).json()["items"][0]

        demoted = await ada.patch(f"/api/v1/members/{me['id']}", json={"role": "viewer"})
        removed = await ada.delete(f"/api/v1/members/{me['id']}")

    assert demoted.json()["code"] == removed.json()["code"] == "members.last_owner"


async def test_a_switch_to_somebody_elses_company_is_not_found(web: Web) -> None:
    async with web.client() as ada, web.client() as eve:
        company = await web.active(ada, "ada@example.org")
        await web.active(eve, "eve@example.org")

        refused = await eve.put("/api/v1/me/active-tenant", json={"tenant_id": company["id"]})

    assert refused.status_code == 404


async def test_retention_is_one_of_three(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        headers = {"if-match": (await ada.get("/api/v1/tenant")).headers["etag"]}

        odd = await ada.patch("/api/v1/tenant", json={"retention_days": 7}, headers=headers)
        changed = await ada.patch("/api/v1/tenant", json={"retention_days": 30}, headers=headers)

    assert odd.status_code == 422
    assert changed.json()["retention_days"] == 30


async def test_who_is_new_joins_with_a_password_as_long_as_at_sign_up(web: Web) -> None:
    async with web.client() as ada, web.client() as jo:
        await web.active(ada, "ada@example.org")
        await ada.post("/api/v1/invitations", json={"email": "jo@example.org"})

        refused = await jo.post(
            "/api/v1/invitations/acceptance", json={"token": await web.last_token(), "password": "zu kurz"}
        )

    assert refused.status_code == 422
