"""Leaving for good over HTTP: deletion by the owner, and the receipt that anybody may check."""

from support.jobs import carry_out_erasures
from support.web import COMPANY, Web


async def test_the_owner_deletes_the_company_and_the_receipt_proves_it(web: Web) -> None:
    async with web.client() as ada, web.client() as anybody:
        made = await web.active(ada, "ada@example.org")

        deleted = await ada.request("DELETE", "/api/v1/tenant", json={"confirm": COMPANY["legal_name"]})
        receipt = deleted.json()
        bearer = {"authorization": f"Bearer {receipt['token']}"}
        before = (await anybody.get(receipt["url"], headers=bearer)).json()
        await carry_out_erasures(web)
        after = (await anybody.get(receipt["url"], headers=bearer)).json()
        login = await ada.get("/api/v1/me")

    assert deleted.status_code == 202
    assert receipt["url"].endswith(f"/api/v1/erasures/{receipt['erasure_id']}")
    assert (before["is_done"], before["proof"]) == (False, None)
    assert (after["is_done"], after["step"], after["tenant_id"]) == (True, "done", made["id"])
    assert set(after["proof"]["rows_left"].values()) == {0}
    assert (after["proof"]["files_left"], after["proof"]["instances_left"], after["proof"]["data_keys_left"]) == (
        0,
        0,
        0,
    )
    assert after["proof"]["audit_is_intact"] is True
    assert login.status_code == 401


async def test_after_an_erasure_the_same_address_can_sign_up_anew(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        await ada.request("DELETE", "/api/v1/tenant", json={"confirm": COMPANY["legal_name"]})
        await carry_out_erasures(web)

        again = await web.active(ada, "ada@example.org")

    assert again["state"] == "onboarding"


async def test_without_the_companys_name_nothing_is_deleted(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        wrong = await ada.request("DELETE", "/api/v1/tenant", json={"confirm": "Bäckerei Meier"})
        missing = await ada.request("DELETE", "/api/v1/tenant")
        company = await ada.get("/api/v1/tenant")

    assert (wrong.status_code, wrong.json()["code"]) == (422, "erasure.not_confirmed")
    assert missing.status_code == 422
    assert company.json()["state"] == "active"


async def test_a_receipt_needs_its_own_token(web: Web) -> None:
    async with web.client() as ada, web.client() as bob, web.client() as anybody:
        receipts = []
        for client, email in ((ada, "ada@example.org"), (bob, "bob@example.org")):
            await web.active(client, email)
            deleted = await client.request("DELETE", "/api/v1/tenant", json={"confirm": COMPANY["legal_name"]})
            receipts.append(deleted.json())

        answers = [
            await anybody.get(receipts[0]["url"]),
            await anybody.get(receipts[0]["url"], headers={"authorization": f"Bearer {receipts[1]['token']}"}),
            await anybody.get(receipts[0]["url"], headers={"authorization": f"Basic {receipts[0]['token']}"}),
            await bob.get(receipts[0]["url"]),
        ]

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_deleting_twice_gives_the_same_receipt(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        first, second = [
            await ada.request("DELETE", "/api/v1/tenant", json={"confirm": COMPANY["legal_name"]}) for _ in range(2)
        ]

    assert first.json() == second.json()
