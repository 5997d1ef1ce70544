"""Limits of turns over HTTP: set by admins, told to whoever reaches them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from support.chatting import Chat, a_chat, asks
from support.web import PASSWORD, Web


@pytest.fixture
async def chat(web: Web) -> AsyncIterator[Chat]:
    async with a_chat(web) as made:
        yield made


async def own_path(chat: Chat) -> str:
    """Where the owner's own limits are."""
    mine = (await chat.owner.get("/api/v1/members")).json()["items"][0]["id"]
    return f"/api/v1/members/{mine}/turn-limits"


async def key_path(chat: Chat) -> str:
    """Where the limits of the chat's key are."""
    key = (await chat.owner.get("/api/v1/api-keys")).json()["items"][0]["id"]
    return f"/api/v1/api-keys/{key}/turn-limits"


async def limit(chat: Chat, path: str, *, revision: int = 1, **limits: Any) -> httpx.Response:
    body = {"per_day": None, "per_month": None, **limits}
    return await chat.owner.put(path, json=body, headers={"if-match": f'"{revision}"'})


async def test_a_key_at_its_limit_is_refused_with_when_it_goes_on_and_nothing_is_sent(chat: Chat) -> None:
    path = await key_path(chat)
    await chat.post(asks("Eins"))
    await limit(chat, path, per_day=2)
    await chat.post(asks("Zwei"))

    german = await chat.post(asks("Drei"))
    english = await chat.post(asks("Drei", stream=True), **{"accept-language": "en"})
    shown = await chat.owner.get(path)

    assert german.status_code == english.status_code == 429
    assert german.headers["content-type"] == "application/problem+json"
    assert german.json()["code"] == german.json()["error"]["code"] == "chat.turn_limit"
    assert german.json()["error"]["type"] == "rate_limit_error"
    assert german.headers["retry-after"] == str(14 * 3600)  # it is 10:00 in Berlin
    assert german.headers["x-should-retry"] == "false"
    assert "Limit von 2 Nachrichten pro Tag" in german.json()["detail"]
    assert "24.11.2026 um 0 Uhr" in german.json()["detail"]
    assert "limit of 2 messages a day" in english.json()["detail"]
    assert chat.instance.questions == ["Eins", "Zwei"]
    assert shown.json() == {"per_day": 2, "per_month": None, "turns_today": 2, "turns_this_month": 2}


async def test_a_refused_message_leaves_nothing_behind(chat: Chat) -> None:
    await limit(chat, await key_path(chat), per_day=0)

    refused = await chat.post(asks("Hallo", user="kunde-1"))
    listed = (await chat.owner.get("/api/v1/conversations")).json()["items"]

    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert listed == []


async def test_a_repeated_request_counts_once_and_a_refused_one_may_come_again(chat: Chat) -> None:
    path = await key_path(chat)
    await limit(chat, path, per_day=1)

    first = await chat.post(asks("Eins"), **{"idempotency-key": "eins"})
    again = await chat.post(asks("Eins"), **{"idempotency-key": "eins"})
    refused = await chat.post(asks("Zwei"), **{"idempotency-key": "zwei"})
    refused_again = await chat.post(asks("Zwei"), **{"idempotency-key": "zwei"})
    await limit(chat, path, revision=2, per_day=2)
    passed = await chat.post(asks("Zwei"), **{"idempotency-key": "zwei"})
    passed_again = await chat.post(asks("Zwei"), **{"idempotency-key": "zwei"})

    assert again.json() == first.json()
    assert [one.status_code for one in (refused, refused_again, passed, passed_again)] == [429, 429, 200, 200]
    assert chat.instance.questions == ["Eins", "Zwei"]
    assert (await chat.owner.get(path)).json()["turns_today"] == 2


async def test_the_limits_of_a_member_bind_its_session_and_no_key(chat: Chat) -> None:
    await limit(chat, await own_path(chat), per_month=1)

    first = await chat.owner.post("/api/v1/chat/completions", json=asks("Eins"))
    second = await chat.owner.post("/api/v1/chat/completions", json=asks("Zwei"))
    by_key = await chat.post(asks("Drei"))

    assert [one.status_code for one in (first, second, by_key)] == [200, 429, 200]
    assert "pro Monat" in second.json()["detail"]
    assert "01.12.2026" in second.json()["detail"]


async def test_two_admins_do_not_overwrite_each_other_and_each_change_is_in_the_audit_log(chat: Chat) -> None:
    path = await own_path(chat)

    unread = await chat.owner.put(path, json={"per_day": 1, "per_month": None})
    first = await limit(chat, path, per_day=20, per_month=300)
    same = await limit(chat, path, revision=2, per_day=20, per_month=300)
    late = await limit(chat, path, per_day=1)
    removed = await limit(chat, path, revision=2)
    entries = (await chat.owner.get("/api/v1/audit")).json()["items"]

    assert (unread.status_code, late.status_code, late.json()["code"]) == (428, 412, "revision.changed_meanwhile")
    assert (first.headers["etag"], same.headers["etag"], removed.headers["etag"]) == ('"2"', '"2"', '"3"')
    assert (removed.json()["per_day"], removed.json()["per_month"]) == (None, None)
    data = [one["data"] for one in entries if one["action"] == "turn_limits.set"]
    assert data == [
        {"per_day": {"from": 20, "to": None}, "per_month": {"from": 300, "to": None}},
        {"per_day": {"from": None, "to": 20}, "per_month": {"from": None, "to": 300}},
    ]


@pytest.mark.parametrize("wrong", [{"per_day": -1}, {"per_day": 1_000_001}, {"per_day": "5"}, {"per_week": 5}])
async def test_what_is_no_limit_is_refused(chat: Chat, wrong: dict[str, Any]) -> None:
    answer = await limit(chat, await own_path(chat), **wrong)

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_an_admin_limits_members_and_itself_and_no_owner(chat: Chat) -> None:
    async with chat.web.client() as jo:
        await chat.owner.post("/api/v1/invitations", json={"email": "jo@example.org", "role": "admin"})
        token = await chat.web.last_token()
        await jo.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
        owner, admin = (one["id"] for one in (await jo.get("/api/v1/members")).json()["items"])
        body, headers = {"per_day": 5, "per_month": None}, {"if-match": '"1"'}

        of_owner = await jo.put(f"/api/v1/members/{owner}/turn-limits", json=body, headers=headers)
        of_itself = await jo.put(f"/api/v1/members/{admin}/turn-limits", json=body, headers=headers)

    assert (of_owner.status_code, of_owner.json()["code"]) == (403, "members.owners_only")
    assert of_itself.status_code == 200


async def test_who_was_removed_and_comes_back_finds_its_limit_and_its_count(chat: Chat) -> None:
    async with chat.web.client() as jo:
        for _ in range(2):
            await chat.owner.post("/api/v1/invitations", json={"email": "jo@example.org", "role": "viewer"})
            token = await chat.web.last_token()
            await jo.post("/api/v1/invitations/acceptance", json={"token": token, "password": PASSWORD})
            member = (await chat.owner.get("/api/v1/members")).json()["items"][1]["id"]
            path = f"/api/v1/members/{member}/turn-limits"
            before = (await chat.owner.get(path)).json()
            await limit(chat, path, per_day=1)
            asked = await jo.post("/api/v1/chat/completions", json=asks("Hallo"))
            await chat.owner.delete(f"/api/v1/members/{member}")

    assert before == {"per_day": 1, "per_month": None, "turns_today": 1, "turns_this_month": 1}
    assert asked.status_code == 429
