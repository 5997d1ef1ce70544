"""MENSCH: the model is silent, a human answers, and the assistant learns of it afterwards."""

import orjson
import pytest
from sqlalchemy import select

from kontor.core.audit import Actor, AuditEntry
from kontor.core.db import Database
from kontor.core.errors import DomainError
from kontor.core.ids import PREFIXES, ConversationId, PersonId, encode, new_id
from kontor.core.mail import Mail
from kontor.tenants.people.model import Membership, Role
from kontor.tenants.people.sign_up import Links
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from kontor.tenants.talk.events import HumanRequested
from kontor.tenants.talk.handover import hand_back, reply
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.notify import notify_members
from support.talking import Talk
from support.tenants import MUELLER, a_person

ADMIN = Actor("person", "prs_admin")
LINKS = Links("https://kontor.test")


async def test_mensch_reaches_a_human_and_the_model_is_not_asked(talk: Talk) -> None:
    heard = await talk.say("MENSCH")

    assert talk.instance.asked == []
    assert "KI-gestützten Assistenten" in heard.text  # it is the first contact, too
    assert heard.text.endswith(
        f"Ihre Nachricht geht jetzt an einen Menschen bei {MUELLER.legal_name}. Sie bekommen hier eine Antwort."
    )
    assert (await talk.conversation(heard.conversation)).state == "human"


async def test_human_is_answered_in_english(talk: Talk) -> None:
    await talk.say("Hallo")

    heard = await talk.say("human!")

    assert heard.text.startswith("Your message now goes to a person at")


async def test_further_messages_go_to_the_human_and_are_acknowledged_once(talk: Talk) -> None:
    await talk.say("MENSCH")

    second = await talk.say("Mein Paket fehlt")
    third = await talk.say("Hallo? Ist da jemand? Ä")
    fourth = await talk.say("Mensch!")

    assert second.text.startswith("Danke, Ihre Nachricht ist angekommen.")
    assert (third.text, fourth.text) == ("", "")
    assert talk.instance.asked == []
    stored = [one.content for one in await talk.messages(fourth.conversation) if one.role == "user"]
    assert stored == ["MENSCH", "Mein Paket fehlt", "Hallo? Ist da jemand? Ä", "Mensch!"]


async def test_mensch_does_not_need_an_assistant_that_works(talk: Talk) -> None:
    await talk.stands(phase=Phase.FAILED, observed=Observed.FAILED)

    heard = await talk.say("MENSCH")

    assert (await talk.conversation(heard.conversation)).state == "human"


async def test_a_humans_answer_comes_with_the_next_response_of_the_api_and_only_once(talk: Talk) -> None:
    asked = await talk.say("MENSCH")
    await _reply(talk, asked.conversation, "Ihr Paket liegt beim Nachbarn. 📦")

    second = await talk.say("Und?")
    third = await talk.say("Danke")

    assert f"Antwort eines Menschen bei {MUELLER.legal_name}:\nIhr Paket liegt beim Nachbarn. 📦" in second.text
    assert "Nachbarn" not in third.text


async def test_a_humans_answer_that_was_not_sent_comes_again(talk: Talk) -> None:
    asked = await talk.say("MENSCH")
    await _reply(talk, asked.conversation, "Beim Nachbarn.")
    [piece async for piece in talk.turn("Und?").pieces()]  # and nobody says `sent`

    heard = await talk.say("Hallo?")

    assert "Beim Nachbarn." in heard.text


async def test_the_portal_reads_a_humans_answer_among_the_messages(talk: Talk) -> None:
    asked = await talk.say("MENSCH", channel=Channel.PORTAL)
    await _reply(talk, asked.conversation, "Beim Nachbarn.")

    heard = await talk.say("Und?", channel=Channel.PORTAL)

    assert "Nachbarn" not in heard.text
    said = [(one.role, one.content) for one in await talk.messages(asked.conversation)]
    assert ("human", "Beim Nachbarn.") in said


async def test_after_the_hand_back_the_assistant_knows_what_was_said_and_answers_again(talk: Talk) -> None:
    asked = await talk.say("MENSCH")
    await talk.say("Mein Paket fehlt")
    await _reply(talk, asked.conversation, "Es liegt beim Nachbarn Özdemir.")
    await _hand_back(talk, asked.conversation)

    await talk.say("Danke! Wann haben Sie auf?")
    await talk.say("Und sonntags?")

    briefed, plain = talk.instance.questions
    assert "> person: Mein Paket fehlt" in briefed
    assert "> colleague: Es liegt beim Nachbarn Özdemir." in briefed
    assert briefed.endswith("Danke! Wann haben Sie auf?")
    assert plain == "Und sonntags?"


async def test_a_briefing_that_did_not_arrive_comes_again(talk: Talk) -> None:
    asked = await talk.say("MENSCH")
    await _reply(talk, asked.conversation, "Beim Nachbarn.")
    await _hand_back(talk, asked.conversation)
    talk.instance.plan(status=503)
    with pytest.raises(DomainError):
        await talk.say("Danke")

    await talk.say("Danke noch einmal")

    assert "> colleague: Beim Nachbarn." in talk.instance.questions[-1]


async def test_nothing_is_told_to_the_assistant_when_no_human_said_anything(talk: Talk) -> None:
    await talk.say("Vorher")
    asked = await talk.say("MENSCH")
    await _hand_back(talk, asked.conversation)
    await talk.say("Hallo")
    await talk.say("Nachher")

    assert talk.instance.questions == ["Vorher", "Hallo", "Nachher"]


async def test_a_member_answers_only_where_a_human_was_asked_for(talk: Talk) -> None:
    heard = await talk.say("Hallo")

    with pytest.raises(DomainError) as refusal:
        await _reply(talk, heard.conversation, "Ich übernehme")
    await talk.say("MENSCH")
    await _reply(talk, heard.conversation, "Ich übernehme")

    assert refusal.value.code == "conversation.not_with_human"
    assert (await talk.messages(heard.conversation))[-1].content == "Ich übernehme"


async def test_owners_and_admins_get_one_mail_per_handover_without_a_word_of_it(talk: Talk, database: Database) -> None:
    for role in (Role.ADMIN, Role.VIEWER):
        await _member(talk, role)
    asked = await talk.say("MENSCH")
    assert asked.conversation is not None
    event = HumanRequested(talk.tenant, asked.conversation)

    await notify_members(database, LINKS, event)
    await notify_members(database, LINKS, event)
    after_one = await _mails(database)
    await _hand_back(talk, asked.conversation)
    await notify_members(database, LINKS, event)

    assert len(after_one) == 2  # owner and admin, not the viewer
    assert len(await _mails(database)) == 2
    assert f"https://kontor.test/conversations/{_text(asked.conversation)}" in after_one[0]
    assert MUELLER.legal_name in after_one[0]


async def test_reply_and_hand_back_stand_in_the_audit_log(talk: Talk, database: Database) -> None:
    asked = await talk.say("MENSCH")
    await _reply(talk, asked.conversation, "Geheim")
    await _hand_back(talk, asked.conversation)
    await _hand_back(talk, asked.conversation)

    async with database.uow(talk.tenant) as tx:
        entries = [
            (entry.action, entry.data)
            for entry in await tx.scalars(select(AuditEntry).order_by(AuditEntry.seq))
            if entry.action.startswith("conversation.")
        ]
    assert entries == [("conversation.replied", {}), ("conversation.handed_back", {})]


async def _reply(talk: Talk, conversation: ConversationId | None, text: str) -> None:
    assert conversation is not None
    async with talk.database.uow(talk.tenant) as tx:
        await reply(tx, talk.tenant, conversation, text, person=PersonId(new_id()), by=ADMIN)


async def _hand_back(talk: Talk, conversation: ConversationId | None) -> None:
    assert conversation is not None
    async with talk.database.uow(talk.tenant) as tx:
        await hand_back(tx, talk.tenant, conversation, by=ADMIN)


async def _member(talk: Talk, role: Role) -> None:
    person = await a_person(talk.database)
    async with talk.database.system_uow() as tx:
        tx.add(Membership(tenant_id=talk.tenant, person_id=person, id=new_id(), role=role, created_at=tx.now))


async def _mails(database: Database) -> list[str]:
    async with database.system_uow() as tx:
        rows = (await tx.scalars(select(Mail).where(Mail.template == "human_requested"))).all()
        opened = [await database.vault.open(row.owner, f"mails.content:{row.id}", row.content or b"") for row in rows]
    return [str(orjson.loads(one)) for one in opened]


def _text(conversation: ConversationId) -> str:
    return encode(PREFIXES["conversation"], conversation)
