"""Conversations over HTTP: who sees which, and a human in the middle of one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from kontor.core.clock import FixedClock
from kontor.tenants.people.model import Role
from support.chatting import Chat, a_chat, asks
from support.web import PASSWORD, Web

API = "/api/v1/conversations"


@pytest.fixture
async def chat(web: Web) -> AsyncIterator[Chat]:
    async with a_chat(web) as made:
        yield made


async def test_a_human_answers_in_the_portal_and_hands_back(chat: Chat) -> None:
    conversation = await _asked(chat, "MENSCH", "kunde-1")
    waiting = (await chat.owner.get(API, params={"state": "human"})).json()["items"]
    replied = await chat.owner.post(f"{API}/{conversation}/replies", json={"content": "Guten Tag, hier ist Ada. 👋"})

    async with chat.program() as client:
        heard = (await client.get(f"{API}/{conversation}/messages")).json()["items"]
    handed_back = await chat.owner.post(f"{API}/{conversation}/handback")
    await _asked(chat, "Danke", "kunde-1")

    assert [(one["id"], one["user"], one["state"]) for one in waiting] == [(conversation, "kunde-1", "human")]
    assert replied.status_code == 201
    assert replied.json()["role"] == "human"
    assert replied.json()["author"].startswith("prs_")
    assert heard[-1] == replied.json()
    assert handed_back.status_code == 204
    assert (await chat.owner.get(API, params={"state": "human"})).json()["items"] == []
    assert "hier ist Ada" in chat.instance.questions[-1]


async def test_polling_gets_only_what_is_new(chat: Chat) -> None:
    conversation = await _asked(chat, "MENSCH", "kunde-1")
    url = f"{API}/{conversation}/messages"
    seen = (await chat.owner.get(url)).json()["items"][-1]["id"]
    before = (await chat.owner.get(url, params={"after": seen})).json()["items"]
    await chat.owner.post(f"{API}/{conversation}/replies", json={"content": "Da bin ich."})

    after = (await chat.owner.get(url, params={"after": seen})).json()["items"]

    assert before == []
    assert [one["content"] for one in after] == ["Da bin ich."]


async def test_lists_come_in_pages_the_latest_first(chat: Chat, clock: FixedClock) -> None:
    for user in ("a", "b", "c"):
        clock.advance(timedelta(minutes=1))
        await _asked(chat, "Hallo", user)
    clock.advance(timedelta(minutes=1))
    first_again = await _asked(chat, "Noch da", "a")

    one = (await chat.owner.get(API, params={"limit": 2})).json()
    two = (await chat.owner.get(API, params={"limit": 2, "cursor": one["next_cursor"]})).json()
    messages = (await chat.owner.get(f"{API}/{first_again}/messages", params={"limit": 3})).json()
    rest = (
        await chat.owner.get(f"{API}/{first_again}/messages", params={"limit": 3, "cursor": messages["next_cursor"]})
    ).json()

    assert [item["user"] for item in one["items"] + two["items"]] == ["a", "c", "b"]
    assert two["next_cursor"] is None
    contents = [item["content"] for item in messages["items"] + rest["items"]]
    assert contents == ["Hallo", "Echo: Hallo", "Noch da", "Echo: Noch da"]


async def test_owners_admins_and_reading_keys_see_all_others_only_their_own(chat: Chat, web: Web) -> None:
    conversation = await _asked(chat, "Hallo", "kunde-1")
    other_key, reading = await chat.new_key("chat"), await chat.new_key("read")
    async with web.client() as viewer, chat.program(other_key) as other, chat.program(reading) as reader:
        await _joins(chat, web, viewer, Role.VIEWER)
        own = await viewer.post("/api/v1/chat/completions", json=asks("Ich"))

        assert (await reader.get(f"{API}/{conversation}/messages")).status_code == 200
        assert (await other.get(f"{API}/{conversation}/messages")).status_code == 404
        assert (await other.get(API)).json()["items"] == []
        assert (await viewer.get(f"{API}/{conversation}")).status_code == 404
        assert [one["id"] for one in (await viewer.get(API)).json()["items"]] == [own.headers["kontor-conversation"]]
        assert len((await chat.owner.get(API)).json()["items"]) == 2


async def test_only_owners_and_admins_answer_hand_back_and_erase(chat: Chat, web: Web) -> None:
    conversation = await _asked(chat, "MENSCH", "kunde-1")
    reading = await chat.new_key("read", "chat", "admin")
    async with web.client() as viewer, chat.program(reading) as program:
        await _joins(chat, web, viewer, Role.VIEWER)
        for client in (viewer, program):
            assert (await client.post(f"{API}/{conversation}/replies", json={"content": "Hallo"})).status_code == 403
            assert (await client.post(f"{API}/{conversation}/handback")).status_code == 403
            assert (await client.delete(f"{API}/{conversation}")).status_code == 403


async def test_an_erased_conversation_is_gone_and_begins_anew(chat: Chat) -> None:
    conversation = await _asked(chat, "Hallo", "kunde-1")

    erased = await chat.owner.delete(f"{API}/{conversation}")
    again = await chat.owner.delete(f"{API}/{conversation}")
    anew = await _asked(chat, "Hallo", "kunde-1")

    assert (erased.status_code, again.status_code) == (204, 404)
    assert (await chat.owner.get(f"{API}/{conversation}")).status_code == 404
    assert anew != conversation


async def test_another_companys_conversation_is_not_found(chat: Chat, web: Web) -> None:
    conversation = await _asked(chat, "MENSCH", "kunde-1")
    async with web.client() as eve:
        await web.active(eve, "eve@example.org")

        answers = [
            await eve.get(f"{API}/{conversation}"),
            await eve.get(f"{API}/{conversation}/messages"),
            await eve.post(f"{API}/{conversation}/replies", json={"content": "Hallo"}),
            await eve.post(f"{API}/{conversation}/handback"),
            await eve.delete(f"{API}/{conversation}"),
        ]

    assert [answer.status_code for answer in answers] == [404] * 5


async def test_a_reply_is_bounded_text(chat: Chat) -> None:
    conversation = await _asked(chat, "MENSCH", "kunde-1")
    contents = ["", "  \n", "a\x00b", "x" * 20_001, "Grüße 👩🏽‍🚀 𠮷"]

    answers = [await chat.owner.post(f"{API}/{conversation}/replies", json={"content": one}) for one in contents]

    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (422, "request.invalid"),
        (422, "chat.message_empty"),
        (422, "chat.message_unreadable"),
        (422, "chat.message_too_long"),
        (201, None),
    ]


async def _asked(chat: Chat, text: str, user: str) -> str:
    answer = await chat.post(asks(text, user=user))
    assert answer.status_code == 200, answer.text
    return answer.headers["kontor-conversation"]


async def _joins(chat: Chat, web: Web, person: httpx.AsyncClient, role: Role) -> None:
    sent = await chat.owner.post("/api/v1/invitations", json={"email": "vera@example.org", "role": role})
    assert sent.status_code in {201, 202, 204}, sent.text
    accepted = await person.post(
        "/api/v1/invitations/acceptance", json={"token": await web.last_token(), "password": PASSWORD}
    )
    assert accepted.status_code < 300, accepted.text
