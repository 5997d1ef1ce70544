"""The content log over HTTP and in the portal: switched and read by owners, told to everybody."""

import re
from datetime import timedelta

import httpx
import orjson
import pytest

from kontor.core.ids import PREFIXES, TenantId, decode, encode
from support.content_log import logged
from support.web import PASSWORD, Web

ON = {"is_on": True, "retention_days": 3, "confirm": True}


async def a_viewer(web: Web, owner: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    await owner.post("/api/v1/invitations", json={"email": "eva@example.org", "role": "viewer"})
    token = await web.last_token()
    joined = await viewer.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
    assert joined.status_code == 200, joined.text


async def test_an_owner_switches_it_on_after_reading_and_everybody_sees_it(web: Web) -> None:
    async with web.client() as ada, web.client(**{"accept-language": "en"}) as eva:
        await web.active(ada, "ada@example.org")
        await a_viewer(web, ada, eva)

        before = (await ada.get("/api/v1/content-log")).json()
        unread = await ada.put("/api/v1/content-log", json={"is_on": True})
        too_long = await ada.put("/api/v1/content-log", json=ON | {"retention_days": 31})
        by_a_viewer = await eva.put("/api/v1/content-log", json=ON)
        on = (await ada.put("/api/v1/content-log", json=ON)).json()
        seen = (await eva.get("/api/v1/content-log")).json()
        refused = await eva.get("/api/v1/content-log/entries")
        off = (await ada.put("/api/v1/content-log", json={"is_on": False})).json()

    assert (before["is_on"], before["since"], before["retention_days"]) == (False, None, 7)
    assert "DSGVO" in before["notice"]
    assert (unread.status_code, unread.json()["code"]) == (422, "content_log.not_confirmed")
    assert too_long.status_code == 422
    assert by_a_viewer.status_code == 403
    assert (on["is_on"], on["retention_days"]) == (True, 3)
    assert seen["is_on"]
    assert "GDPR" in seen["notice"]
    assert refused.status_code == 403
    assert not off["is_on"]


async def test_an_owner_lists_reads_takes_and_deletes_and_the_audit_log_tells(web: Web) -> None:
    async with web.client() as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        now, ids = web.container.clock.now(), []
        for n in range(3):
            at = now - timedelta(seconds=3 - n)
            entry = await logged(web.container.database, tenant, f"Frage {n}", "Antwort 🥖", at=at)
            ids.append(encode(PREFIXES["usage_event"], entry))

        first = (await ada.get("/api/v1/content-log/entries", params={"limit": 2})).json()
        more = (
            await ada.get("/api/v1/content-log/entries", params={"limit": 2, "cursor": first["next_cursor"]})
        ).json()
        read = (await ada.get(f"/api/v1/content-log/entries/{ids[0]}")).json()
        taken = await ada.get("/api/v1/content-log/download")
        gone = (await ada.delete("/api/v1/content-log/entries")).json()
        unknown = await ada.get(f"/api/v1/content-log/entries/{ids[0]}")
        told = (await ada.get("/api/v1/audit")).json()["items"]

    assert [one["id"] for one in [*first["items"], *more["items"]]] == ids[::-1]
    assert "Frage" not in str(first)
    assert (read["id"], read["request"], read["answer"]) == (ids[0], "Frage 0", "Antwort 🥖")
    assert [orjson.loads(line)["request"] for line in taken.text.splitlines()] == ["Frage 0", "Frage 1", "Frage 2"]
    assert taken.headers["content-disposition"].startswith("attachment;")
    assert gone == {"entries": 3}
    assert unknown.status_code == 404
    acts = [(one["action"], one["target"]) for one in told if one["action"].startswith("content_log.")]
    assert acts[:3] == [
        ("content_log.deleted", None),
        ("content_log.downloaded", None),
        ("content_log.read", ids[0]),
    ]
    assert "Frage" not in str(told)


async def test_no_api_key_opens_it(web: Web) -> None:
    async with web.client() as ada, web.client() as program:
        await web.active(ada, "ada@example.org")
        scopes = ["chat", "read", "usage", "export", "admin"]
        key = (await ada.post("/api/v1/api-keys", json={"name": "n", "scopes": scopes})).json()

        answer = await program.get("/api/v1/content-log/entries", headers={"authorization": f"Bearer {key['secret']}"})

    assert answer.status_code == 403


@pytest.mark.parametrize(("lang", "means"), [("de", "Betriebsrat"), ("en", "works council")])
async def test_the_portal_switches_shows_and_deletes(web: Web, lang: str, means: str) -> None:
    async with web.client(**{"accept": "text/html", "accept-language": lang}) as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        before = (await ada.get("/content-log")).text
        unread = await ada.post("/content-log", data={"retention_days": "3"})
        nonsense = await ada.post("/content-log", data={"retention_days": "99", "confirm": "yes"})
        on = await ada.post("/content-log", data={"retention_days": "3", "confirm": "yes"})
        entry = await logged(web.container.database, tenant, "<b>Frage</b>", "Antwort")
        listed = (await ada.get("/content-log")).text
        [path] = re.findall(r'href="(/content-log/use_[^"]+)"', listed)
        read = (await ada.get(path)).text
        taken = await ada.get("/content-log/download")
        await ada.post("/content-log/off")
        await ada.post("/content-log/delete")
        after = (await ada.get("/content-log")).text

    assert means in before
    assert (unread.status_code, nonsense.status_code, on.status_code) == (422, 422, 303)
    assert encode(PREFIXES["usage_event"], entry) in path
    assert "&lt;b&gt;Frage&lt;/b&gt;" in read
    assert "Antwort" in taken.text
    assert "/content-log/use_" not in after
    assert "/content-log/off" not in after


async def test_a_member_sees_in_the_portal_whether_it_is_on_and_nothing_more(web: Web) -> None:
    async with web.client() as ada, web.client(accept="text/html") as eva:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        await a_viewer(web, ada, eva)
        await logged(web.container.database, tenant, "Frage", "Antwort")

        page = await eva.get("/content-log")
        taken = await eva.get("/content-log/download")

    assert "an, 7 Tage" in page.text
    assert "use_" not in page.text
    assert taken.status_code == 403
