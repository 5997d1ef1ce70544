"""The company's own audit log through its API."""

from support.web import Web


async def test_admins_read_who_did_what_from_where_newest_first(web: Web) -> None:
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org")

        items = (await ada.get("/api/v1/audit")).json()["items"]

    actions = [one["action"] for one in items]
    assert (actions[0], actions[-1]) == ("tenant.activated", "tenant.created")
    assert items[0]["target"] == company["id"]
    assert items[0]["actor"].startswith("prs_")
    assert items[0]["personal"] == {"address": "192.0.2.1"}
    assert [one["seq"] for one in items] == list(range(len(items), 0, -1))


async def test_the_log_goes_on_by_cursor(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        everything = (await ada.get("/api/v1/audit")).json()["items"]

        first = (await ada.get("/api/v1/audit", params={"limit": 2})).json()
        rest = (await ada.get("/api/v1/audit", params={"cursor": first["next_cursor"]})).json()

    assert first["items"] + rest["items"] == everything
    assert rest["next_cursor"] is None


async def test_another_company_and_a_made_up_cursor_see_nothing(web: Web) -> None:
    async with web.client() as ada, web.client() as eve:
        company = await web.active(ada, "ada@example.org")
        await web.active(eve, "eve@example.org")

        hers = await eve.get("/api/v1/audit")
        odd = await ada.get("/api/v1/audit", params={"cursor": "/////////////////////w"})

    assert company["id"] not in hers.text
    assert odd.json()["code"] == "page.cursor"
