"""The short unit of work before a turn: the message is stored, and it is decided who answers it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.i18n import DEFAULT, Lang, as_lang
from kontor.core.ids import ConversationId, MessageId, TenantId, new_id
from kontor.core.limits import Limit, take
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.hibernate import wake
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.provisioning.target import target, touch
from kontor.tenants.sellers import Sellers
from kontor.tenants.talk import notices
from kontor.tenants.talk.conversation import (
    Origin,
    claim,
    find,
    remember,
    said_by_humans_and_users,
    unheard,
    was_told,
)
from kontor.tenants.talk.disclosure import disclosure
from kontor.tenants.talk.handover import asked_for_human, hand_over
from kontor.tenants.talk.model import Conversation, InCharge, Outcome, Speaker
from kontor.tenants.talk.standing import Standing, check_open, standing
from kontor.tenants.talk.turn_limits.count import Counted, count

PER_ORIGIN: Final = Limit("chat", 600, 60)


@dataclass(frozen=True, slots=True)
class Question:
    """One message of an end user. `text` went through `checked_text`; `lang` is None when the caller did not say."""

    tenant: TenantId
    origin: Origin
    actor: Actor
    text: str
    user: str | None
    conversation: ConversationId | None
    lang: Lang | None


@dataclass(frozen=True, slots=True)
class Preface:
    """What comes before the answer, and what is true once it was sent. `text` is empty when there is nothing."""

    text: str
    discloses: bool
    heard_seq: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that was taken. `fixed` is Kontor's own answer; without it the assistant gets `prompt`.

    `counted` is where the turn was counted; Kontor's own answers are not.
    """

    conversation: ConversationId
    message: MessageId
    preface: Preface
    fixed: str | None
    prompt: str
    is_briefed: bool
    counted: Counted | None = None


async def enter(tx: Tx, sellers: Sellers, question: Question, turn: UUID, *, is_first_try: bool) -> Entry | None:
    """The message is stored and its turn has begun; None, and nothing changed, while another turn runs.

    MENSCH and messages to a human do not wait and need no assistant. A sleeping assistant is woken. Raises Limited,
    NotFound, OtherUser, NotActivated, BeingErased, StillPreparing, SetupFailed, TurnLimitReached (only for what would
    go to the assistant).
    """
    if is_first_try:
        await take(tx, PER_ORIGIN, str(question.origin.source))
    tenant = await tenant_of(tx, question.tenant)
    check_open(TenantState(tenant.state))
    names = _Names(
        company=(await profile_of(tx.vault, tenant)).legal_name,
        operator=sellers.of(tenant.seller).legal_name,
        lang=question.lang or as_lang(tenant.language) or DEFAULT,
        tenants=as_lang(tenant.language) or DEFAULT,
    )
    row = await find(tx, question.tenant, question.origin, user=question.user, known=question.conversation)
    asked = asked_for_human(question.text)
    if asked is not None or row.state == InCharge.HUMAN:
        return await _to_human(tx, row, question, asked, names)
    stands = standing(await target(tx, question.tenant))
    if stands is Standing.SUSPENDED:
        notice = notices.suspended(names.company)(names.tenants)
        return await _answered(tx, row, question, notice, names)
    if not claim(tx, row, turn):
        return None
    counted = await count(tx, question.tenant, question.origin)
    if stands is Standing.ASLEEP:
        await wake(tx, question.tenant, question.actor)
    await touch(tx, question.tenant)
    since = row.unbriefed_from
    said = await said_by_humans_and_users(tx, row, since) if since is not None else []
    preface = await _preface(tx, row, names)
    message = await remember(tx, row, Speaker.USER, question.text, Outcome.UNANSWERED)
    return Entry(
        conversation=ConversationId(row.id),
        message=MessageId(message.id),
        preface=preface,
        fixed=None,
        prompt=notices.briefed(question.text, [(who is Speaker.HUMAN, text) for who, text in said])
        if said
        else question.text,
        is_briefed=since is not None,
        counted=counted,
    )


@dataclass(frozen=True, slots=True)
class _Names:
    company: str
    operator: str
    lang: Lang
    tenants: Lang


async def _to_human(tx: Tx, row: Conversation, question: Question, asked: Lang | None, names: _Names) -> Entry:
    """A human gets the message. The first answer says so, the second acknowledges, later ones say nothing."""
    lang = asked or names.lang
    if row.state != InCharge.HUMAN:
        answer = notices.handed_over(names.company)(lang)
        entry = await _answered(tx, row, question, answer, names)
        await hand_over(tx, row)
        return entry
    answer = "" if row.is_acknowledged else notices.received(names.company)(lang)
    row.is_acknowledged = True
    return await _answered(tx, row, question, answer, names)


async def _answered(tx: Tx, row: Conversation, question: Question, answer: str, names: _Names) -> Entry:
    """Question and Kontor's answer are stored; no model is asked."""
    preface = await _preface(tx, row, names)
    message = await remember(tx, row, Speaker.USER, question.text, Outcome.COMPLETE)
    if answer:
        await remember(tx, row, Speaker.NOTICE, answer, Outcome.COMPLETE)
    return Entry(
        conversation=ConversationId(row.id),
        message=MessageId(message.id),
        preface=preface,
        fixed=answer,
        prompt="",
        is_briefed=False,
    )


async def _preface(tx: Tx, row: Conversation, names: _Names) -> Preface:
    discloses = not await was_told(tx, row)
    replies = await unheard(tx, row)
    parts = [disclosure(names.company, names.operator)(names.lang)] if discloses else []
    if replies:
        parts.append(notices.from_a_human(names.company, replies)(names.lang))
    return Preface("\n\n".join(parts), discloses, row.last_seq if replies else 0)


def new_turn() -> UUID:
    """The id of a turn, and of the answer that it gives."""
    return new_id()
