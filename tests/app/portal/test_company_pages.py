"""The company in the portal: team, keys, details, contracts, exports, leaving, audit log, other companies."""

import re
from datetime import timedelta

import httpx
import pytest

from kontor.core.clock import FixedClock
from kontor.core.ids import TenantId, decode
from support.jobs import build_exports, carry_out_erasures
from support.talking import ready_assistant
from support.web import COMPANY, PASSWORD, Web

BROWSER = {"accept": "text/html"}


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


async def test_somebody_new_is_invited_and_joins_by_the_page(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as jo:
        await web.active(ada, "ada@example.org")
        page = (await ada.get("/members")).text
        form = {"once": field(page, "once"), "email": "jo@example.org", "role": "admin"}
        invited = await ada.post("/members/invite", data=form)
        again = await ada.post("/members/invite", data=form)
        token = await web.last_token()

        offer = (await jo.get("/invitation", params={"token": token})).text
        short = await jo.post("/invitation", data={"token": token, "password": "kurz"})
        joined = await jo.post("/invitation", data={"token": token, "password": PASSWORD})
        second = await jo.post("/invitation", data={"token": token, "password": PASSWORD})
        team = (await jo.get("/members")).text

    assert invited.status_code == again.status_code == 303
    assert len([one for one in await web.mails() if "jo@example.org" in one]) == 1
    assert "Bäckerei Müller &amp; Söhne GmbH" in offer
    assert "new-password" in offer
    assert short.status_code == 422
    assert 'value="kurz"' not in short.text
    assert (joined.status_code, joined.headers["location"]) == (303, "/home")
    assert second.status_code == 410
    assert "jo@example.org" in team


async def test_a_known_person_joins_with_its_own_password_and_switches(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as eve:
        await web.active(eve, "eve@example.org", legal_name="Eves Laden GmbH")
        await web.active(ada, "ada@example.org")
        await ada.post("/members/invite", data={"email": "eve@example.org", "role": "viewer"})
        token = await web.last_token()

        offer = (await eve.get("/invitation", params={"token": token})).text
        wrong = await eve.post("/invitation", data={"token": token, "password": "nicht mein Passwort"})
        await eve.post("/invitation", data={"token": token, "password": PASSWORD})
        here = (await eve.get("/company")).text
        memberships = (await eve.get("/api/v1/me")).json()["memberships"]
        own = next(one["tenant_id"] for one in memberships if one["company"] == "Eves Laden GmbH")
        switched = await eve.post("/tenant", data={"tenant": own})
        there = (await eve.get("/company")).text
        foreign = await eve.post("/tenant", data={"tenant": "tnt_01h455vb4pex5vsknk084sn02q"})
        nonsense = await eve.post("/tenant", data={"tenant": "x"})

    assert "current-password" in offer
    assert wrong.status_code == 409
    assert "Passwort" in wrong.text
    assert "<h1>Stammdaten</h1>" in here
    assert "Bäckerei Müller &amp; Söhne GmbH" in here
    assert switched.status_code == 303
    assert "<p>Eves Laden GmbH</p>" in there
    assert foreign.status_code == nonsense.status_code == 404


async def test_the_last_owner_stays_and_the_page_says_why(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        own = (await ada.get("/api/v1/members")).json()["items"][0]["id"]

        removed = await ada.post(f"/members/{own}/remove")
        changed = await ada.post(f"/members/{own}/role", data={"role": "viewer"})
        nonsense = await ada.post(f"/members/{own}/role", data={"role": "king"})

    assert removed.status_code == changed.status_code == 409
    assert 'role="alert"' in removed.text
    assert nonsense.status_code == 422


async def test_a_role_is_changed_and_an_invitation_withdrawn(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as jo:
        await web.active(ada, "ada@example.org")
        await ada.post("/members/invite", data={"email": "jo@example.org", "role": "viewer"})
        await jo.post("/invitation", data={"token": await web.last_token(), "password": PASSWORD})
        member = (await ada.get("/api/v1/members")).json()["items"][1]["id"]
        await ada.post("/members/invite", data={"email": "neu@example.org", "role": "viewer"})
        token, invitation = await web.last_token(), (await ada.get("/api/v1/invitations")).json()["items"][0]["id"]

        closed = await jo.get("/keys")
        await ada.post(f"/members/{member}/role", data={"role": "admin"})
        opened = await jo.get("/keys")
        await ada.post(f"/invitations/{invitation}/revoke")
        gone = await jo.get("/invitation", params={"token": token})
        await ada.post(f"/members/{member}/remove")
        out = await jo.get("/keys")

    assert closed.status_code == 403
    assert "Bitten Sie einen Inhaber" in closed.text
    assert opened.status_code == 200
    assert gone.status_code == 410
    assert (out.status_code, out.headers["location"]) == (303, "/onboarding/company")


async def test_a_key_is_shown_once_and_reloading_makes_no_second_one(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client() as program:
        await web.active(ada, "ada@example.org")
        once = field((await ada.get("/keys")).text, "once")
        form = {"once": once, "name": "Website", "scopes": ["usage", "read"], "expires_on": "2026-12-24"}

        made = await ada.post("/keys", data=form)
        reloaded = await ada.post("/keys", data=form)
        secret = re.search(r'id="secret">(kontor_[^<]+)<', made.text)
        assert secret
        listed = await ada.get("/keys")
        key = (await ada.get("/api/v1/api-keys")).json()["items"]
        del program.headers["origin"]
        bearer = {"authorization": f"Bearer {secret[1]}"}
        works = await program.get("/api/v1/usage", headers=bearer)
        await ada.post(f"/keys/{key[0]['id']}/revoke")
        revoked = await program.get("/api/v1/usage", headers=bearer)

    assert made.status_code == 200
    assert "default-src 'none'" in reloaded.headers["content-security-policy"]
    assert secret[1] in reloaded.text
    assert secret[1] not in listed.text
    assert [(one["name"], one["scopes"], one["expires_at"]) for one in key] == [
        ("Website", ["read", "usage"], "2026-12-24T23:00:00Z")  # the end of that day in Berlin
    ]
    assert (works.status_code, revoked.status_code) == (200, 401)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"scopes": ""},
        {"scopes": "everything"},
        {"expires_on": "2020-01-01"},
        {"expires_on": "9999-12-31"},
    ],
)
async def test_a_key_that_does_not_fit_is_not_made(web: Web, change: dict[str, str]) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")

        refused = await ada.post("/keys", data={"name": "Shop", "scopes": "chat", **change})
        made = (await ada.get("/api/v1/api-keys")).json()["items"]

    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert made == []


async def test_retention_is_chosen_and_a_late_save_is_refused(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        read = field((await ada.get("/company")).text, "revision")

        saved = await ada.post("/company", data={"revision": read, "retention_days": "30"})
        late = await ada.post("/company", data={"revision": read, "retention_days": "60"})
        page = (await ada.get(saved.headers["location"])).text
        odd = await ada.post("/company", data={"revision": field(page, "revision"), "retention_days": "7"})
        company = (await ada.get("/api/v1/tenant")).json()

    assert saved.status_code == 303
    assert "Gespeichert." in page
    assert late.status_code == odd.status_code == 409
    assert company["retention_days"] == 30


async def test_contracts_are_shown_as_they_were_accepted(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        digest = (await ada.get("/api/v1/contracts/avv/accepted")).json()["sha256"]

        listed = await ada.get("/contracts")
        shown = await ada.get("/contracts/avv")
        pdf = await ada.get("/contracts/avv.pdf")
        read = (await ada.get("/api/v1/tenant")).headers["etag"]
        await ada.patch("/api/v1/tenant", json={"street": "Neue Gasse 7"}, headers={"if-match": read})
        later = await ada.get("/contracts/avv")
        unknown = await ada.get("/contracts/nothing")

    assert digest in listed.text
    assert digest in shown.text
    assert "<h2" in shown.text
    assert pdf.content.startswith(b"%PDF")
    assert digest in later.text
    assert "Königstraße 1" in later.text
    assert "Neue Gasse 7" not in later.text
    assert unknown.status_code == 404


async def test_an_export_is_asked_for_watched_and_fetched(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        empty = (await ada.get("/exports")).text

        asked = await ada.post("/exports")
        await ada.post("/exports")
        running = (await ada.get("/exports", params={"part": "list"})).text
        await build_exports(web)
        ready = (await ada.get("/exports")).text
        link = re.search(r'href="(/exports/exp_[^"]+/file)"', ready)
        assert link
        fetched = await ada.get(link[1])

    assert "Noch kein Export" in empty
    assert asked.headers["location"] == "/exports"
    assert running.count("<tr>") == 2
    assert "hx-trigger" in running
    assert "<html" not in running
    assert "hx-trigger" not in ready
    assert fetched.headers["content-type"] == "application/zip"


async def test_the_owner_leaves_and_the_receipt_shows_that_nothing_is_left(web: Web) -> None:
    name = str(COMPANY["legal_name"])
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as anybody:
        await web.active(ada, "ada@example.org")

        page = (await ada.get("/leave")).text
        misspelt = await ada.post("/leave", data={"name": "Bäckerei", "password": PASSWORD})
        wrong = await ada.post("/leave", data={"name": name, "password": "nicht mein Passwort"})
        still = (await ada.get("/api/v1/tenant")).json()["state"]
        left = await ada.post("/leave", data={"name": name, "password": PASSWORD})
        running = await ada.get(left.headers["location"])
        await carry_out_erasures(web)
        done = await anybody.get(left.headers["location"])
        part = await anybody.get(f"{left.headers['location']}&part=body")
        forged = await anybody.get(left.headers["location"].partition("?")[0], params={"token": "x" * 43})
        out = await ada.get("/home")

    assert "Sie haben noch keinen Export" in page
    assert misspelt.status_code == wrong.status_code == 422
    assert "nicht mein Passwort" not in wrong.text
    assert still == "active"
    assert left.status_code == 303
    assert "Ihre Daten werden gelöscht" in running.text
    assert "Alles ist gelöscht" in done.text
    assert done.text.count("weg</span>") == 4
    assert "<html" not in part.text
    assert forged.status_code == 404
    assert out.headers["location"].startswith("/login")


async def test_the_audit_log_names_people_and_verifies_the_chain(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        page = (await ada.get("/audit", params={"limit": 2})).text
        cursor = re.search(r"cursor=([A-Za-z0-9_-]+)", page)
        assert cursor
        older = await ada.get("/audit", params={"limit": 2, "cursor": cursor[1]})
        broken = await ada.get("/audit", params={"cursor": "!"})

    assert "Kette geprüft" in page
    assert "ada@example.org" in page
    assert "contract.accepted" in page
    assert older.status_code == 200
    assert broken.status_code == 422


async def test_a_further_company_is_signed_up_beside_the_first(web: Web) -> None:
    form = {**{name: str(value) for name, value in COMPANY.items() if name != "is_business"}, "is_business": "on"}
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        page = (await ada.get("/onboarding/company", params={"new": "1"})).text
        again = {"once": field(page, "once"), "new": field(page, "new"), **form, "legal_name": "Zweite GmbH"}

        made = await ada.post("/onboarding/company", data=again)
        twice = await ada.post("/onboarding/company", data=again)
        memberships = (await ada.get("/api/v1/me")).json()["memberships"]

    assert made.headers["location"] == twice.headers["location"] == "/onboarding/contracts"
    assert [one["company"] for one in memberships] == ["Bäckerei Müller & Söhne GmbH", "Zweite GmbH"]


async def test_numbers_of_a_month_that_is_none_are_those_of_the_present_one(web: Web, clock: FixedClock) -> None:
    async with web.client(**BROWSER) as ada:
        company = await web.active(ada, "ada@example.org")
        await _assistant(web, company)
        for path in ("/usage", "/availability"):
            for month in ("2026-13", "gestern", "2031-01", "2020-02", ""):
                shown = await ada.get(path, params={"month": month})
                assert shown.status_code == 200, (path, month)
                assert f'value="{"2020-02" if month == "2020-02" else "2026-11"}" selected' in shown.text
        table = await ada.get("/usage.csv", params={"month": "2026-11"})
        clock.advance(timedelta(days=1))
        availability = (await ada.get("/availability")).text

    assert table.headers["content-disposition"] == 'attachment; filename="usage-2026-11.csv"'
    assert table.text == "date,model,input tokens,output tokens,cost\r\n"
    assert availability.count('<rect class="d-') == 90


async def _assistant(web: Web, company: dict[str, object]) -> None:
    await ready_assistant(web.container.database, TenantId(decode("tnt", str(company["id"]))), "http://127.0.0.1:1")


async def test_who_waits_for_the_assistant_is_sent_to_its_progress(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")

        home, chat = await ada.get("/home"), await ada.get("/chat")

    assert home.headers["location"] == "/onboarding/progress"
    assert chat.headers["location"] == "/home"


async def test_a_password_is_changed_by_the_current_one_and_other_sessions_end(web: Web) -> None:
    new = "Ein ganz anderer Satz"
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as phone:
        await web.signed_up(ada, "ada@example.org")
        await phone.post("/login", data={"email": "ada@example.org", "password": PASSWORD})

        wrong = await ada.post("/account/password", data={"current": "falsch", "password": new})
        short = await ada.post("/account/password", data={"current": PASSWORD, "password": "kurz"})
        changed = await ada.post("/account/password", data={"current": PASSWORD, "password": new})
        page = (await ada.get(changed.headers["location"])).text
        thrown_out = await phone.get("/account")
        old = await phone.post("/login", data={"email": "ada@example.org", "password": PASSWORD})

    assert (wrong.status_code, short.status_code) == (422, 422)
    assert new not in wrong.text
    assert "Ihr Passwort ist geändert" in page
    assert thrown_out.headers["location"].startswith("/login")
    assert old.status_code == 401


async def test_another_session_of_ones_own_is_ended(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER, **{"user-agent": "Phone"}) as phone:
        await web.signed_up(ada, "ada@example.org")
        await phone.post("/login", data={"email": "ada@example.org", "password": PASSWORD})
        page = (await ada.get("/account")).text
        other = re.findall(r'action="(/account/sessions/[^"]+/end)"', page)

        await ada.post(other[0])

        assert len(other) == 1
        assert "Phone" in page
        assert (await _status(phone), await _status(ada)) == (303, 200)


async def _status(client: httpx.AsyncClient) -> int:
    return (await client.get("/account")).status_code
