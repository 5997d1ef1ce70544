"""Money in the portal: where the budget stands, its caps, and keys of the company's own programs."""

import re

import httpx
import pytest
from sqlalchemy import text

from support.operators import operator_login
from support.web import PASSWORD, Web

BROWSER = {"accept": "text/html,*/*"}
EURO = 1_000_000_000


def plain(answer: httpx.Response) -> str:
    """What is said, without tags and with one space between words."""
    body = re.sub(r"<(script|style).*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\N{NO-BREAK SPACE}", " ").split())


async def spends(web: Web, euros: int) -> None:
    async with web.container.database.system_uow() as tx:
        await tx.execute(text("UPDATE budget_periods SET spent_nano = :nano"), {"nano": euros * EURO})


async def caps(client: httpx.AsyncClient, month: str, day: str = "", revision: str = "0") -> httpx.Response:
    return await client.post("/usage/caps", data={"cap_eur": month, "day_cap_eur": day, "revision": revision})


async def test_an_admin_caps_the_month_beside_the_usage(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        before = await ada.get("/usage")

        saved = await caps(ada, "20,50", "2")
        await spends(web, 18)
        after = await ada.get(saved.headers["location"])
        english = await ada.get("/usage", headers={"accept-language": "en"})

    assert "0,00 € von 32,00 € · 0,0 % im Rahmen" in plain(before)
    assert "zum 1,4-fachen der Modellkosten" in plain(before)
    assert (saved.status_code, saved.headers["location"]) == (303, "/usage?saved=1")
    assert "18,00 € von 20,50 € · 87,8 % fast verbraucht" in plain(after)
    assert 'value="20,50"' in after.text
    assert 'name="revision" value="2"' in after.text
    assert "Heute 18,00 € von 2,00 € · 900,0 % Obergrenze erreicht" in plain(after)
    assert '<progress class="bar" value="2000000000" max="2000000000"' in after.text
    assert "€18.00 of €20.50 · 87.8 % nearly used up" in plain(english)
    assert 'value="20.50"' in english.text


@pytest.mark.parametrize("typed", ["viel", "-1", "1.234,50", "0,001", "1000001"])
async def test_what_is_no_amount_comes_back_beside_its_field(web: Web, typed: str) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")

        refused = await caps(ada, typed)

    assert refused.status_code == 422
    assert f'value="{typed}"' in refused.text
    assert 'id="cap_eur-error"' in refused.text


async def test_of_two_admins_the_second_reads_what_the_first_has_set(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        await caps(ada, "20")

        second = await caps(ada, "30")

    assert second.status_code == 409
    assert "Jemand anderes hat inzwischen gespeichert" in second.text


async def test_a_pilot_reads_how_high_it_may_go(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org", plan="pilot", seats=5)

        page = await ada.get("/usage")
        refused = await caps(ada, "26")

    assert "0,00 € von 25,00 € · 0,0 % im Rahmen" in plain(page)
    assert "Ende der Pilotphase" in plain(page)
    assert refused.status_code == 409
    assert "höchstens 25,00 EUR" in refused.text


async def test_a_month_that_is_over_has_no_budget_to_set(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")

        assert "KI-Budget" not in (await ada.get("/usage", params={"month": "2026-10"})).text


async def test_calls_without_a_price_are_called_so(web: Web) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        await caps(ada, "20")
        async with web.container.database.system_uow() as tx:
            await tx.execute(
                text(
                    "INSERT INTO usage_hourly (tenant_id, hour, model, events, unpriced_events, estimated_events, "
                    "input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nano) "
                    "SELECT tenant_id, '2026-11-20T12:00Z', 'm', 3, 3, 0, 100, 0, 0, 50, 0, 0 FROM budgets LIMIT 1"
                )
            )

        page = plain(await ada.get("/usage"))

    assert "3 Aufrufe dieses Zeitraums haben noch keinen Preis" in page
    assert "noch ohne Preis" in page


async def test_a_key_is_made_shown_once_and_revoked(web: Web) -> None:
    wanted = {"name": "Angebote & mehr", "month_cap_eur": "20,00", "day_cap_eur": "", "expires_on": "2026-12-31"}
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        empty = await ada.get("/gateway-keys")

        made = await ada.post("/gateway-keys", data={**wanted, "once": "x"})
        again = await ada.post("/gateway-keys", data={**wanted, "once": "x"})
        listed = await ada.get("/gateway-keys")
        [id_] = set(re.findall(r"/gateway-keys/(gwk_\w+)/revoke", listed.text))
        revoked = await ada.post(f"/gateway-keys/{id_}/revoke")
        after = await ada.get("/gateway-keys")

    assert "Noch kein Schlüssel" in empty.text
    [secret] = set(re.findall(r"kgw_[\w-]{20,}", made.text))
    assert secret in again.text
    assert secret not in listed.text
    assert secret[:11] in listed.text
    assert "Angebote &amp; mehr" in listed.text
    assert "0,00 € von 20,00 € im Monat" in plain(listed)
    assert "31.12.2026" in plain(listed)
    assert "http://127.0.0.1:8081/v1" in plain(listed)
    assert "Modelle assistant" in plain(listed)
    assert "data-confirm" in listed.text
    assert (revoked.status_code, revoked.headers["location"]) == (303, "/gateway-keys")
    assert "widerrufen" in after.text
    assert "/revoke" not in after.text


@pytest.mark.parametrize(
    ("wrong", "status"), [({"name": ""}, 422), ({"day_cap_eur": "viel"}, 422), ({"expires_on": "2026-11-22"}, 409)]
)
async def test_a_key_that_cannot_be_made_is_told_in_its_form(web: Web, wrong: dict[str, str], status: int) -> None:
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")

        refused = await ada.post("/gateway-keys", data={"name": "a", "month_cap_eur": "12,30", **wrong})

    assert refused.status_code == status
    assert 'value="12,30"' in refused.text
    assert 'role="alert"' in refused.text


async def test_billing_caps_but_makes_no_keys_and_a_viewer_only_reads(web: Web) -> None:
    seen = {}
    async with web.client(**BROWSER) as ada:
        await web.active(ada, "ada@example.org")
        for role in ("billing", "viewer"):
            await ada.post("/api/v1/invitations", json={"email": f"{role}@example.org", "role": role})
            async with web.client(**BROWSER) as other:
                token = await web.last_token()
                await other.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
                usage = (await other.get("/usage")).text
                seen[role] = ('action="/usage/caps"' in usage, 'href="/gateway-keys"' in usage, "KI-Budget" in usage)

    assert seen == {"billing": (True, False, True), "viewer": (False, False, True)}


async def test_the_operator_bounds_a_tenant_in_the_console(web: Web) -> None:
    async with web.client(**BROWSER) as ada, web.client(**BROWSER) as olga:
        company = await web.active(ada, "ada@example.org", plan="pilot", seats=5)
        await operator_login(web, olga)
        path = f"/ops/tenants/{company['id']}"

        wrong = await olga.post(f"{path}/budget", data={"cap_eur": "viel"})
        done = await olga.post(f"{path}/budget", data={"cap_eur": "40"})
        page = await olga.get(path)
        freed = await olga.post(f"{path}/budget", data={"cap_eur": ""})
        after = await olga.get(path)

    assert wrong.status_code == 422
    assert 'id="cap_eur-error"' in wrong.text
    assert (done.status_code, done.headers["location"]) == (freed.status_code, freed.headers["location"]) == (303, path)
    assert "0,00 € von 40,00 €" in plain(page)
    assert 'value="40,00"' in page.text
    assert "0,00 € von 25,00 €" in plain(after)
