"""A turn: disclosure, order, waking, failures, and what is stored however it ends."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.errors import DomainError
from kontor.core.ids import new_id
from kontor.tenants.events import Suspension
from kontor.tenants.lifecycle.suspend import suspend
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from kontor.tenants.talk.ask import Said
from kontor.tenants.talk.disclosure import disclosure
from kontor.tenants.talk.model import Channel
from support.eventually import eventually
from support.talking import OPERATOR_NAME, Talk
from support.tenants import MUELLER, OPERATOR

DISCLOSURE = disclosure(MUELLER.legal_name, OPERATOR_NAME)


async def test_an_end_user_is_answered_and_told_once_that_it_is_an_ai(talk: Talk) -> None:
    first = await talk.say("Grüß Gott 🦊")
    second = await talk.say("Und samstags?")

    assert first.text == f"{DISCLOSURE.de}\n\nEcho: Grüß Gott 🦊"
    assert second.text == "Echo: Und samstags?"
    assert second.conversation == first.conversation
    assert first.ended is not None
    assert first.ended.used is not None
    assert (first.ended.used.input_tokens, first.ended.used.output_tokens) == (7, 1)


async def test_every_end_user_is_told_in_the_language_asked_for_or_the_tenants(talk: Talk) -> None:
    german = await talk.say("Hallo", user="a")
    english = await talk.say("Hello", user="b", lang="en")

    assert german.text.startswith(DISCLOSURE.de)
    assert english.text.startswith(DISCLOSURE.en)
    assert german.conversation != english.conversation


async def test_a_person_in_the_portal_is_told_once_and_not_in_every_conversation(talk: Talk) -> None:
    first = await talk.say("Hallo", user=None, channel=Channel.PORTAL)
    second = await talk.say("Hallo", user=None, channel=Channel.PORTAL)

    assert first.text.startswith(DISCLOSURE.de)
    assert second.text == "Echo: Hallo"
    assert first.conversation != second.conversation


async def test_who_was_not_sent_the_disclosure_is_told_again(talk: Talk) -> None:
    turn = talk.turn("Hallo")
    lost = [piece.text async for piece in turn.pieces() if isinstance(piece, Said)]  # and nobody says `sent`

    again = await talk.say("Hallo?")

    assert lost[0].startswith(DISCLOSURE.de)
    assert again.text.startswith(DISCLOSURE.de)
    assert (await talk.conversation(again.conversation)).disclosed_at is not None


async def test_the_disclosure_is_not_wasted_on_an_answer_that_fails(talk: Talk) -> None:
    talk.instance.plan(status=500)
    with pytest.raises(DomainError) as refusal:
        await talk.say("Hallo")

    again = await talk.say("Hallo?")

    assert refusal.value.code == "assistant.not_answering"
    assert again.text.startswith(DISCLOSURE.de)


async def test_the_assistant_gets_only_the_new_message_and_an_opaque_name(talk: Talk) -> None:
    await talk.say("Eins", user="ada@example.org")
    heard = await talk.say("Zwei", user="ada@example.org")

    last = talk.instance.asked[-1]
    assert last["messages"] == [{"role": "user", "content": "Zwei"}]
    assert last["user"].startswith("cnv_")
    assert "ada" not in str(last)
    assert (await talk.conversation(heard.conversation)).user == "ada@example.org"


async def test_without_a_name_each_message_begins_a_conversation_and_its_id_continues_it(talk: Talk) -> None:
    first = await talk.say("Eins", user=None)
    other = await talk.say("Anderes", user=None)
    next_one = await talk.say("Zwei", user=None, conversation=first.conversation)

    assert first.conversation != other.conversation
    assert next_one.conversation == first.conversation
    assert next_one.text == "Echo: Zwei"


async def test_a_conversation_of_another_key_is_not_there_and_another_user_does_not_fit(talk: Talk) -> None:
    mine = await talk.say("Eins")
    with pytest.raises(DomainError) as other_user:
        await talk.say("Zwei", user="kunde-2", conversation=mine.conversation)
    talk.api_key = new_id()
    with pytest.raises(DomainError) as other_key:
        await talk.say("Zwei", user=None, conversation=mine.conversation)

    assert other_user.value.code == "chat.other_user"
    assert other_key.value.code == "not_found"
    assert len(talk.instance.asked) == 1


async def test_everything_that_was_said_is_stored_sealed_and_in_order(talk: Talk) -> None:
    heard = await talk.say("Wo ist das Büro? 𠮷")

    stored = await talk.messages(heard.conversation)
    assert [(one.role, one.content, one.outcome) for one in stored] == [
        ("user", "Wo ist das Büro? 𠮷", "complete"),
        ("assistant", "Echo: Wo ist das Büro? 𠮷", "complete"),
    ]
    assert (stored[1].input_tokens, stored[1].output_tokens) == (7, 1)


async def test_two_messages_at_once_are_answered_one_after_the_other(talk: Talk) -> None:
    talk.instance.plan(words=["Die ", "erste ", "Antwort"], pause_after=1)
    slow = asyncio.create_task(talk.say("Eins"))
    await eventually(lambda: _is(len(talk.instance.asked) == 1), what="the first turn runs")
    waiting = asyncio.create_task(talk.say("Zwei"))

    await asyncio.wait({waiting}, timeout=0.3)
    asked_meanwhile = len(talk.instance.asked)
    talk.instance.may_go_on = True
    first, second = await slow, await waiting

    assert asked_meanwhile == 1
    assert "queued" in second.holds
    stored = await talk.messages(first.conversation)
    assert [one.content for one in stored] == ["Eins", "Die erste Antwort", "Zwei", "Echo: Zwei"]


async def test_who_waits_too_long_for_the_answer_before_is_told_and_leaves_nothing(talk: Talk) -> None:
    talk.instance.plan(words=["Die ", "erste"], pause_after=1)
    slow = asyncio.create_task(talk.say("Eins"))
    await eventually(lambda: _is(len(talk.instance.asked) == 1), what="the first turn runs")
    talk.lose_patience()

    with pytest.raises(DomainError) as refusal:
        await talk.say("Zwei")
    talk.instance.may_go_on = True
    first = await slow

    assert refusal.value.code == "chat.another_turn_runs"
    assert [one.content for one in await talk.messages(first.conversation)] == ["Eins", "Die erste"]


async def test_a_turn_that_died_frees_its_conversation_and_keeps_its_message_as_unanswered(
    talk: Talk, clock: FixedClock
) -> None:
    dead = talk.turn("Eins")
    talk.instance.plan(words=["nie ", "fertig"], pause_after=1)
    pieces = dead.pieces()
    await anext(pieces)  # the process is killed here: nothing of the turn runs any more
    clock.advance(timedelta(seconds=16))
    talk.instance.may_go_on = True

    heard = await talk.say("Zwei")

    stored = await talk.messages(heard.conversation)
    assert [(one.content, one.outcome) for one in stored] == [
        ("Eins", "unanswered"),
        ("Zwei", "complete"),
        ("Echo: Zwei", "complete"),
    ]
    await pieces.aclose()


async def test_who_leaves_in_the_middle_leaves_what_was_said_as_cut(talk: Talk) -> None:
    talk.instance.plan(words=["Das ", "ist ", "lang"], pause_after=2)
    turn, said = talk.turn("Erzähl"), ""
    async with aclosing(turn.pieces()) as pieces:
        async for piece in pieces:
            if isinstance(piece, Said):
                said += piece.text
            if said.endswith("ist "):
                break

    stored = await talk.messages(turn.conversation)
    assert [(one.role, one.content, one.outcome) for one in stored] == [
        ("user", "Erzähl", "cut"),
        ("assistant", "Das ist ", "cut"),
    ]
    await eventually(lambda: _is(talk.instance.hung_up == 1), what="the instance is hung up on")
    assert (await talk.say("Weiter")).text.endswith("Echo: Weiter")


async def test_an_answer_that_breaks_off_is_stored_as_failed_and_says_so(talk: Talk) -> None:
    talk.instance.plan(words=["Das ", "war ", "alles"], break_after=2)
    turn = talk.turn("Erzähl")
    with pytest.raises(DomainError) as refusal:
        [piece async for piece in turn.pieces()]

    stored = await talk.messages(turn.conversation)
    assert refusal.value.code == "assistant.cut"
    assert [(one.content, one.outcome) for one in stored] == [("Erzähl", "failed"), ("Das war ", "failed")]


async def test_a_suspended_tenants_notice_answers_in_its_language_and_no_model_is_asked(
    talk: Talk, database: Database
) -> None:
    async with database.uow(talk.tenant) as tx:
        await suspend(tx, talk.tenant, Suspension.OPERATOR, OPERATOR)

    heard = await talk.say("Wie sind Ihre Öffnungszeiten?", lang="en")

    assert "Dieser Assistent ist zurzeit nicht verfügbar" in heard.text
    assert heard.ended is not None
    assert heard.ended.used is not None
    assert heard.ended.used.output_tokens == 0
    assert talk.instance.asked == []


async def test_a_sleeping_assistant_is_woken_while_the_end_user_is_held(talk: Talk) -> None:
    await talk.stands(phase=Phase.HIBERNATED)
    asking = asyncio.create_task(talk.say("Guten Morgen"))
    await asyncio.wait({asking}, timeout=0.3)
    await talk.stands(phase=Phase.READY, observed=Observed.READY)

    heard = await asking

    assert heard.holds[0] == "waking"
    assert heard.text.endswith("Echo: Guten Morgen")


async def test_an_assistant_that_does_not_wake_is_a_clear_error_and_the_message_is_kept(talk: Talk) -> None:
    await talk.stands(phase=Phase.HIBERNATED)
    talk.lose_patience()
    turn = talk.turn("Guten Morgen")

    with pytest.raises(DomainError) as refusal:
        [piece async for piece in turn.pieces()]

    assert refusal.value.code == "assistant.not_awake"
    assert refusal.value.retry_after_s == 30
    assert [one.outcome for one in await talk.messages(turn.conversation)] == ["failed"]


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        (Phase.PROVISIONING, "assistant.preparing"),
        (Phase.FAILED, "assistant.setup_failed"),
        (Phase.ENDING, "chat.being_erased"),
    ],
)
async def test_an_assistant_that_cannot_answer_says_why_and_stores_nothing(talk: Talk, phase: Phase, code: str) -> None:
    await talk.stands(phase=phase)

    with pytest.raises(DomainError) as refusal:
        await talk.say("Hallo")
    await talk.stands(phase=Phase.READY, observed=Observed.READY)
    heard = await talk.say("Hallo")

    assert refusal.value.code == code
    assert len(await talk.messages(heard.conversation)) == 2


async def _is(value: bool) -> bool:  # noqa: FBT001 - what eventually asks for
    return value
