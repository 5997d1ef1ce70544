"""The assistant: the member's own chat with it, and what it is called and told."""

from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from kontor.app.http.errors import STATUS
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.portal.frame import ADMINS, EMPTY, Notice
from kontor.app.portal.frame import Form as Typed
from kontor.app.portal.routes.conversations import said_by
from kontor.app.portal.routes.page import Look, LookDep, Member, again, sent, to, whole
from kontor.app.portal.views import assistant
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, ConversationId, InvalidId, decode, encode
from kontor.tenants.errors import ChangedMeanwhile
from kontor.tenants.lifecycle.assistant import edit_assistant, read_assistant
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.rows import instance_of, settings_of, tenant_of
from kontor.tenants.lifecycle.view import assistant_view
from kontor.tenants.people.members import list_members
from kontor.tenants.talk import inbox
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.disclosure import disclosure
from kontor.tenants.talk.entry import Question
from kontor.tenants.talk.model import Channel, InCharge
from kontor.tenants.talk.question import checked_text

router = APIRouter(include_in_schema=False, route_class=IdempotentRoute)
SHOWN: Final = 200
"""Messages of the chat that are shown; older ones are under "Conversations"."""
_SAVED: Final = Text(de="Gespeichert. Die nächste Antwort hält sich daran.", en="Saved. The next answer keeps to it.")


@router.get("/chat")
async def chat(
    look: LookDep, new: str = "", part: str = "", seen: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """The member's own conversation, the one that was active last; `part=talk` is what was said, if not yet `seen`."""
    member = look.member()
    shape = assistant.ChatPart if part == "talk" else assistant.ChatPage
    page = await _chat(look, member, shape, is_new=bool(new))
    if page is None:
        return to("/home")
    if part == "talk" and page.last == seen:
        return Response(status_code=204)
    return await look.show(page, "chat")


@router.post("/chat")
async def ask(request: Request, look: LookDep) -> Response:
    """The question is answered before the page comes back: for browsers without script."""
    member = look.member()
    values = await sent(request)
    try:
        turn = look.container.desk.ask(
            Question(
                tenant=member.tenant,
                origin=Origin(Channel.PORTAL, member.person),
                actor=member.actor,
                text=checked_text(values.get("text", "")),
                user=None,
                conversation=_conversation(values.get("conversation", "")),
                lang=look.lang,
            )
        )
        async with aclosing(turn.pieces()) as pieces:
            async for _ in pieces:
                pass
        await turn.sent()
    except DomainError as error:
        form = again(values, error, look.lang)
        page = await _chat(look, member, assistant.ChatPage, is_new=not values.get("conversation"), form=form)
        status = STATUS[Kind.LIMITED] if error.kind is Kind.LIMITED else STATUS[Kind.CONFLICT]
        return to("/home") if page is None else await look.show(page, "chat", status=status)
    return to("/chat")


@router.post("/chat/new")
async def new_chat(look: LookDep) -> Response:
    """An empty conversation; it begins with the first message."""
    look.member()
    return to("/chat?new=1")


@router.get("/assistant")
async def settings(look: LookDep, saved: str = "") -> Response:
    """Name and instructions."""
    notices = (Notice("good", _SAVED(look.lang)),) if saved else ()
    return await look.show(await _settings(look, look.member()), "assistant", notices=notices)


@router.post("/assistant")
async def save(request: Request, look: LookDep) -> Response:
    """The next answer uses them. What somebody else saved meanwhile is shown and not overwritten."""
    member = look.member(*ADMINS)
    values = await sent(request)
    try:
        async with look.container.database.uow(member.tenant) as tx:
            await edit_assistant(
                tx,
                member.tenant,
                member.actor,
                expected=whole(values.get("revision", "")),
                display_name=values.get("display_name", ""),
                system_prompt=values.get("system_prompt", ""),
            )
    except ChangedMeanwhile:
        return await look.show(await _settings(look, member, Typed(values), is_late=True), "assistant", status=409)
    except DomainError as error:
        form = again(values, error, look.lang)
        return await look.show(await _settings(look, member, form), "assistant", status=422)
    return to("/assistant?saved=1")


@router.post("/assistant/retry")
async def retry(look: LookDep) -> Response:
    """A failed setup begins anew; a restart that waits is tried at once."""
    member = look.member(*ADMINS)
    async with look.container.database.uow(member.tenant) as tx:
        await retry_provisioning(tx, member.tenant, member.actor)
    return to("/home")


async def _chat(
    look: Look, member: Member, shape: type[assistant.ChatPage], *, is_new: bool, form: Typed = EMPTY
) -> assistant.ChatPage | None:
    """None while there is no assistant to talk to."""
    origin = Origin(Channel.PORTAL, member.person)
    async with look.container.database.uow(member.tenant) as tx:
        row = await tenant_of(tx, member.tenant)
        view = await assistant_view(tx, member.tenant)
        if view.ready_at is None or view.phase is None:
            return None
        text = await read_assistant(tx, member.tenant)
        profile = await profile_of(tx.vault, row)
        recent = await inbox.list_conversations(tx, member.tenant, of=origin, state=None, after=None, limit=1)
        current = recent[0] if recent and not is_new else None
        said = await inbox.last_messages(tx, member.tenant, current.id, of=origin, limit=SHOWN) if current else []
        people = await list_members(tx, member.tenant)
    seller = look.container.sellers.of(row.seller)
    where = f"{profile.street}, {profile.postcode} {profile.city}"
    return shape(
        assistant=text.display_name,
        phase=view.phase.value,
        conversation=encode(PREFIXES["conversation"], current.id) if current else None,
        said=said_by(said, people, look.lang),
        disclosure=disclosure(profile.legal_name, seller.legal_name)(look.lang),
        imprints=assistant.Imprints(profile.legal_name, where, seller.legal_name),
        is_with_human=current is not None and current.state is InCharge.HUMAN,
        last=encode(PREFIXES["message"], said[-1].id) if said else "",
        draft=form.value("text"),
        form=form,
    )


async def _settings(
    look: Look, member: Member, form: Typed = EMPTY, *, is_late: bool = False
) -> assistant.AssistantSettings:
    async with look.container.database.uow(member.tenant) as tx:
        tenant = await tenant_of(tx, member.tenant)
        view = await assistant_view(tx, member.tenant)
        text = await read_assistant(tx, member.tenant)
        row = await settings_of(tx, member.tenant)
        instance = await instance_of(tx, member.tenant)
    pack = look.container.catalogue.industry(tenant.industry).pack
    return assistant.AssistantSettings(
        phase=view.phase.value if view.phase else "provisioning",
        display_name=text.display_name,
        system_prompt=text.system_prompt,
        revision=text.revision,
        is_applied=instance is None or instance.applied_revision >= instance.revision,
        pack_rules=look.container.packs[pack].rules,
        may_edit=member.role in ADMINS,
        updated_at=row.updated_at,
        theirs=text.system_prompt if is_late else None,
        form=form,
    )


def _conversation(text: str) -> ConversationId | None:
    try:
        return ConversationId(decode(PREFIXES["conversation"], text)) if text else None
    except InvalidId:
        return None
