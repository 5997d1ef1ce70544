"""Limits of turns in the portal: set on a page of the member or key, told in the chat."""

import re
from collections.abc import AsyncIterator

import pytest

from support.chatting import Chat, a_chat, asks
from support.web import PASSWORD, Web

BROWSER = {"accept": "text/html"}


@pytest.fixture
async def chat(web: Web) -> AsyncIterator[Chat]:
    async with a_chat(web) as made:
        made.owner.headers.update(BROWSER)
        yield made


async def first_id(chat: Chat, kind: str) -> str:
    """Of the company's members or keys."""
    return str((await chat.owner.get(f"/api/v1/{kind}")).json()["items"][0]["id"])


async def test_the_portal_sets_limits_and_its_chat_tells_when_they_are_reached(chat: Chat) -> None:
    path = f"/members/{await first_id(chat, 'members')}/turns"
    await chat.owner.post("/chat", data={"text": "Eins", "conversation": ""})
    page = (await chat.owner.get(path)).text
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision

    wrong = await chat.owner.post(path, data={"per_day": "viele", "per_month": "", "revision": revision[1]})
    saved = await chat.owner.post(path, data={"per_day": "1", "per_month": "", "revision": revision[1]})
    late = await chat.owner.post(path, data={"per_day": "9", "per_month": "", "revision": revision[1]})
    refused = await chat.owner.post("/chat", data={"text": "Zwei 🥨", "conversation": ""})
    called = await chat.owner.post("/chat", data={"text": "MENSCH", "conversation": ""})
    team = (await chat.owner.get("/members")).text

    assert (wrong.status_code, saved.status_code, late.status_code) == (422, 303, 409)
    assert 'value="viele"' in wrong.text
    assert "inzwischen gespeichert" in late.text
    assert refused.status_code == 429
    assert "Limit von 1 Nachricht pro Tag" in refused.text
    assert "24.11.2026 um 0 Uhr" in refused.text
    assert "Zwei 🥨</textarea>" in refused.text
    assert called.status_code == 303
    assert "1/1 heute" in team
    assert chat.instance.questions == ["Eins"]


async def test_the_portal_limits_a_key_and_keeps_a_limit_of_zero(chat: Chat) -> None:
    path = f"/keys/{await first_id(chat, 'api-keys')}/turns"

    saved = await chat.owner.post(path, data={"per_day": "0", "per_month": "50", "revision": "1"})
    page = (await chat.owner.get(path)).text
    keys = (await chat.owner.get("/keys")).text

    assert saved.status_code == 303
    assert re.search(r'name="per_day" type="number" value="0"', page)
    assert "0/0 heute" in keys
    assert "0/50 im Monat" in keys
    assert (await chat.post(asks("Hallo"))).status_code == 429


async def test_an_admin_sees_an_owners_count_and_cannot_change_its_limit(chat: Chat) -> None:
    async with chat.web.client(**BROWSER) as jo:
        await chat.owner.post("/api/v1/invitations", json={"email": "jo@example.org", "role": "admin"})
        token = await chat.web.last_token()
        await jo.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
        path = f"/members/{await first_id(chat, 'members')}/turns"

        page = await jo.get(path)
        posted = await jo.post(path, data={"per_day": "1", "revision": "1"})

    assert page.status_code == 200
    assert 'name="per_day"' not in page.text
    assert posted.status_code == 409
    assert "nur Inhaber" in posted.text
