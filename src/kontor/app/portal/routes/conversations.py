"""The company's conversations: read, answered as a human, handed back."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from kontor.app.api.ids import ConversationIdText
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.portal.frame import ADMINS, EMPTY, Form
from kontor.app.portal.routes.page import Look, LookDep, Member, again, sent, to
from kontor.app.portal.views import assistant
from kontor.core.errors import DomainError
from kontor.core.i18n import Lang, Text
from kontor.core.ids import PREFIXES, ConversationId, encode
from kontor.tenants.people.members import MemberView, list_members
from kontor.tenants.talk import handover, inbox
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.inbox import ConversationView, MessageView
from kontor.tenants.talk.model import Channel, InCharge, Outcome, Speaker

router = APIRouter(prefix="/conversations", include_in_schema=False, route_class=IdempotentRoute)
ConversationPath = Annotated[ConversationIdText, Path()]
SHOWN: Final = 500
PREVIEW: Final = 160

_CHANNELS: Final = {
    Channel.API: Text(de="API", en="API"),
    Channel.PORTAL: Text(de="Chat im Portal", en="chat in the portal"),
}
_UNNAMED: Final = Text(de="Ohne Namen", en="No name")
_FORMER: Final = Text(de="Früheres Mitglied", en="Former member")


@router.get("")
async def conversations(look: LookDep, page: Annotated[PageQuery, Depends(page_query)], waiting: str = "") -> Response:
    """The one that was active last comes first. Owners and admins see all, others their own."""
    member = look.member()
    state = InCharge.HUMAN if waiting else None
    async with look.container.database.uow(member.tenant) as tx:
        found = await inbox.list_conversations(
            tx, member.tenant, of=_own(member), state=state, after=page.after, limit=page.limit
        )
        shown, has_more = cut(found, page.limit)
        last = await inbox.last_words(tx, member.tenant, [one.id for one in shown])
        people = await list_members(tx, member.tenant)
    rows = tuple(
        assistant.ConversationRow(
            id=encode(PREFIXES["conversation"], one.id),
            label=_label(one, people, look.lang),
            channel=_CHANNELS[one.channel](look.lang),
            state=_state(one, last.get(one.id)),
            last_at=one.last_at,
            preview=_preview(last.get(one.id)),
        )
        for one in shown
    )
    cursor = encode_cursor(shown[-1].last_message) if has_more else None
    return await look.show(assistant.Conversations(rows, bool(waiting), cursor), "conversations")


@router.get("/{conversation_id}")
async def conversation(conversation_id: ConversationPath, look: LookDep, part: str = "") -> Response:
    """One conversation; `part=said` is what was said alone, asked for every few seconds."""
    member = look.member()
    shape = assistant.ConversationPart if part == "said" else assistant.ConversationPage
    return await look.show(await _page(look, member, conversation_id, EMPTY, shape), "conversations")


@router.post("/{conversation_id}/reply")
async def reply(conversation_id: ConversationPath, request: Request, look: LookDep) -> Response:
    """The end user gets this from a human; a second click does not say it twice."""
    member = look.member(*ADMINS)
    values = await sent(request)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            await handover.reply(
                tx, member.tenant, conversation_id, values.get("text", ""), person=member.person, by=member.actor
            )
    except DomainError as error:
        form = again(values, error, look.lang)
        page = await _page(look, member, conversation_id, form, assistant.ConversationPage)
        return await look.show(page, "conversations", status=422)
    return _to(conversation_id)


@router.post("/{conversation_id}/hand-back")
async def hand_back(conversation_id: ConversationPath, look: LookDep) -> Response:
    """The assistant answers again, and learns what was said meanwhile."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await handover.hand_back(tx, member.tenant, conversation_id, by=member.actor)
    return _to(conversation_id)


def said_by(said: Sequence[MessageView], people: Sequence[MemberView], lang: Lang) -> tuple[assistant.Said, ...]:
    """What was said, with the address of the colleague who answered as a human."""
    names = {one.person: one.email for one in people}
    return tuple(
        assistant.Said(
            one.role.value,
            one.content,
            one.at,
            names.get(one.author, _FORMER(lang)) if one.author and one.role is Speaker.HUMAN else None,
            is_cut=one.outcome is Outcome.CUT,
        )
        for one in said
    )


async def _page(
    look: Look,
    member: Member,
    conversation: ConversationId,
    form: Form,
    shape: type[assistant.ConversationPage],
) -> assistant.ConversationPage:
    async with look.container.database.uow(member.tenant) as tx:
        one = await inbox.show(tx, member.tenant, conversation, of=_own(member))
        said = await inbox.last_messages(tx, member.tenant, conversation, of=_own(member), limit=SHOWN)
        people = await list_members(tx, member.tenant)
    last = next((message for message in reversed(said) if message.role is not Speaker.NOTICE), None)
    return shape(
        id=encode(PREFIXES["conversation"], one.id),
        label=_label(one, people, look.lang),
        channel=_CHANNELS[one.channel](look.lang),
        state=_state(one, last),
        started_at=one.created_at,
        said=said_by(said, people, look.lang),
        may_answer=member.role in ADMINS and one.state is InCharge.HUMAN,
        form=form,
    )


def _own(member: Member) -> Origin | None:
    return None if member.role in ADMINS else Origin(Channel.PORTAL, member.person)


def _label(one: ConversationView, people: Sequence[MemberView], lang: Lang) -> str:
    if one.channel is Channel.PORTAL:
        return next((who.email for who in people if who.person == one.source), _FORMER(lang))
    return one.user or _UNNAMED(lang)


def _state(one: ConversationView, last: MessageView | None) -> assistant.ConversationState:
    if one.state is InCharge.ASSISTANT:
        return "assistant"
    return "waiting" if last is None or last.role is not Speaker.HUMAN else "human"


def _preview(last: MessageView | None) -> str:
    if last is None:
        return ""
    words = " ".join(last.content.split())
    return words if len(words) <= PREVIEW else f"{words[:PREVIEW]}…"


def _to(conversation: UUID) -> Response:
    return to(f"/conversations/{encode(PREFIXES['conversation'], conversation)}")
