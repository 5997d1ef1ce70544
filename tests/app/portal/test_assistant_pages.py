"""Working with the assistant in the portal: chat without script, settings, conversations with a human."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kontor.core.clock import FixedClock
from kontor.tenants.people.model import Role
from support.chatting import Chat, a_chat, asks
from support.web import PASSWORD, Web

BROWSER = {"accept": "text/html"}


@pytest.fixture
async def chat(web: Web) -> AsyncIterator[Chat]:
    async with a_chat(web) as made:
        made.owner.headers.update(BROWSER)
        yield made


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


async def _waiting(chat: Chat, user: str = "kunde-1") -> str:
    answer = await chat.post(asks("MENSCH", user=user))
    return answer.headers["kontor-conversation"]


async def test_without_script_the_page_comes_back_with_the_answer(chat: Chat) -> None:
    page = (await chat.owner.get("/chat")).text
    form = {"once": field(page, "once"), "conversation": "", "text": "Wann öffnen Sie? <b>🥨</b>"}

    asked = await chat.owner.post("/chat", data=form)
    again = await chat.owner.post("/chat", data=form)
    shown = (await chat.owner.get("/chat")).text

    assert (asked.status_code, asked.headers["location"]) == (303, "/chat")
    assert again.status_code == 303
    assert len(chat.instance.questions) == 1
    assert "Wann öffnen Sie? &lt;b&gt;🥨&lt;/b&gt;" in shown
    assert [shown.count(f'data-role="{who}"') for who in ("user", "assistant")] == [1, 1]


async def test_a_message_that_cannot_be_sent_comes_back_with_its_sentence(chat: Chat) -> None:
    refused = await chat.owner.post("/chat", data={"text": "a\x00b", "conversation": ""})

    assert refused.status_code == 409
    assert 'role="alert"' in refused.text


async def test_the_part_is_sent_only_when_there_is_something_new(chat: Chat) -> None:
    await chat.owner.post("/chat", data={"text": "MENSCH", "conversation": ""})
    page = (await chat.owner.get("/chat")).text
    seen = re.search(r'data-last="([^"]+)"', page)
    assert seen

    nothing = await chat.owner.get("/chat", params={"part": "talk", "seen": seen[1]})
    conversation = field(page, "conversation")
    await chat.owner.post(f"/conversations/{conversation}/reply", data={"text": "Hier ist Ada."})
    something = await chat.owner.get("/chat", params={"part": "talk", "seen": seen[1]})

    assert nothing.status_code == 204
    assert something.status_code == 200
    assert "Hier ist Ada." in something.text
    assert "ada@example.org" in something.text
    assert 'data-is-with-human="yes"' in something.text
    assert "<html" not in something.text


async def test_a_new_chat_begins_empty_and_the_old_one_stays_in_the_list(chat: Chat) -> None:
    await chat.owner.post("/chat", data={"text": "Erste Frage", "conversation": ""})

    new = await chat.owner.post("/chat/new")
    page = (await chat.owner.get(new.headers["location"])).text

    assert "Erste Frage" not in page
    assert field(page, "conversation") == ""
    assert "ada@example.org" in (await chat.owner.get("/conversations")).text


async def test_a_member_answers_as_a_human_and_hands_back(chat: Chat) -> None:
    conversation = await _waiting(chat)
    listed = (await chat.owner.get("/conversations", params={"waiting": "1"})).text
    page = (await chat.owner.get(f"/conversations/{conversation}")).text
    form = {"once": field(page, "once"), "text": "Guten Tag, hier ist Ada. 👋"}

    first = await chat.owner.post(f"/conversations/{conversation}/reply", data=form)
    second = await chat.owner.post(f"/conversations/{conversation}/reply", data=form)
    part = (await chat.owner.get(f"/conversations/{conversation}", params={"part": "said"})).text
    handed = await chat.owner.post(f"/conversations/{conversation}/hand-back")
    after = (await chat.owner.get(f"/conversations/{conversation}")).text

    assert "kunde-1" in listed
    assert "wartet auf einen Menschen" in listed
    assert first.headers["location"] == second.headers["location"] == f"/conversations/{conversation}"
    assert part.count("hier ist Ada. 👋") == 1
    assert "<html" not in part
    assert handed.status_code == 303
    assert "/reply" not in after


async def test_an_empty_reply_says_what_is_wrong_and_nothing_is_said(chat: Chat) -> None:
    conversation = await _waiting(chat)

    refused = await chat.owner.post(f"/conversations/{conversation}/reply", data={"text": "  "})

    assert refused.status_code == 422
    assert 'role="alert"' in refused.text


async def test_the_number_of_those_who_wait_goes_down_with_an_answer(chat: Chat) -> None:
    conversation = await _waiting(chat)
    await _waiting(chat, "kunde-2")
    before = (await chat.owner.get("/home")).text

    await chat.owner.post(f"/conversations/{conversation}/reply", data={"text": "Ja?"})
    after = (await chat.owner.get("/home")).text

    assert "2\N{NO-BREAK SPACE}Gespräche warten" in before
    assert "1\N{NO-BREAK SPACE}Gespräch wartet" in after


async def test_a_viewer_sees_only_its_own_conversations(chat: Chat, web: Web) -> None:
    conversation = await _waiting(chat)
    await chat.owner.post("/api/v1/invitations", json={"email": "eva@example.org", "role": Role.VIEWER})
    async with web.client(**BROWSER) as eva:
        body = {"token": await web.last_token(), "password": PASSWORD}
        await eva.post("/api/v1/invitations/acceptance", json=body)

        listed = (await eva.get("/conversations")).text
        foreign = await eva.get(f"/conversations/{conversation}")

    assert "kunde-1" not in listed
    assert foreign.status_code == 404


async def test_conversations_come_in_pages(chat: Chat, clock: FixedClock) -> None:
    for number in range(3):
        clock.advance(timedelta(seconds=1))
        await chat.post(asks("MENSCH", user=f"kunde-{number}"))

    first = (await chat.owner.get("/conversations", params={"limit": 2})).text
    cursor = re.search(r"cursor=([A-Za-z0-9_-]+)", first)
    assert cursor
    second = (await chat.owner.get("/conversations", params={"limit": 2, "cursor": cursor[1]})).text

    assert "kunde-2" in first
    assert "kunde-1" in first
    assert "kunde-0" not in first
    assert "kunde-0" in second


async def test_two_admins_who_meet_lose_no_text(chat: Chat) -> None:
    read = field((await chat.owner.get("/assistant")).text, "revision")
    mine = {"revision": read, "display_name": "Ada", "system_prompt": "Mein Text"}

    theirs = await chat.owner.post("/assistant", data={**mine, "system_prompt": "Ihr Text"})
    late = await chat.owner.post("/assistant", data=mine)
    saved = (await chat.owner.get("/api/v1/assistant")).json()
    newest = field(late.text, "revision")
    once_more = await chat.owner.post("/assistant", data={**mine, "revision": newest})

    assert (theirs.status_code, theirs.headers["location"]) == (303, "/assistant?saved=1")
    assert late.status_code == 409
    assert "Mein Text" in late.text
    assert "Ihr Text" in late.text
    assert saved["system_prompt"] == "Ihr Text"
    assert once_more.status_code == 303


@pytest.mark.parametrize(
    "change", [{"display_name": ""}, {"display_name": "x" * 61}, {"system_prompt": "x" * 8001}, {"revision": "x"}]
)
async def test_settings_that_do_not_fit_come_back_as_typed(chat: Chat, change: dict[str, str]) -> None:
    read = field((await chat.owner.get("/assistant")).text, "revision")
    form = {"revision": read, "display_name": "Ada", "system_prompt": "Mein Text", **change}

    refused = await chat.owner.post("/assistant", data=form)

    assert refused.status_code in {409, 422}
    assert form["display_name"] in refused.text
    assert form["system_prompt"] in refused.text
    assert 'role="alert"' in refused.text


async def test_the_rules_that_always_hold_are_shown(chat: Chat) -> None:
    page = (await chat.owner.get("/assistant")).text

    assert "Gib dich nie als Mensch aus" in page
