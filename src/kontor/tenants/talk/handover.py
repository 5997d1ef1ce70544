"""Asking for a human, answering as one, and handing the conversation back to the assistant.

Source: product page, "What the assistant must do": the message MENSCH, or HUMAN, alone and in any case, reaches a
human, and the model is not asked.
"""

import unicodedata
from typing import Final

from kontor.core.audit import Actor, record
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.i18n import Lang
from kontor.core.ids import PREFIXES, ConversationId, PersonId, TenantId, encode
from kontor.tenants.talk.conversation import read, remember
from kontor.tenants.talk.errors import NotWithHuman
from kontor.tenants.talk.events import HumanRequested
from kontor.tenants.talk.model import Conversation, InCharge, Message, Outcome, Speaker
from kontor.tenants.talk.question import checked_text

_WORDS: Final[dict[str, Lang]] = {"mensch": "de", "human": "en"}


def asked_for_human(text: str) -> Lang | None:
    """The language of the word when the message is MENSCH or HUMAN alone, else None.

    Case and width of the letters do not count, nor does what stands around the word as long as it holds no letter
    and no digit: white space, punctuation, quotes, symbols, emoji. "Mensch!" counts, "MENSCH bitte" does not.
    """
    plain = unicodedata.normalize("NFKC", text)
    first = next((at for at, letter in enumerate(plain) if letter.isalnum()), len(plain))
    last = next((at for at in range(len(plain), first, -1) if plain[at - 1].isalnum()), first)
    return _WORDS.get(plain[first:last].casefold())


async def hand_over(tx: Tx, conversation: Conversation) -> None:
    """A human is in charge and the tenant is told. The row is locked; a second call changes nothing."""
    if conversation.state == InCharge.HUMAN:
        return
    conversation.state = InCharge.HUMAN
    conversation.handed_over_at = tx.now
    conversation.is_acknowledged = False
    if conversation.unbriefed_from is None:
        conversation.unbriefed_from = conversation.last_seq + 1
    await publish(tx, HumanRequested(TenantId(conversation.tenant_id), ConversationId(conversation.id)))


async def reply(
    tx: Tx, tenant: TenantId, conversation: ConversationId, text: str, *, person: PersonId, by: Actor
) -> Message:
    """The end user gets this from a human. Raises NotFound, NotWithHuman, MessageEmpty and its like."""
    content = checked_text(text)
    row = await read(tx, tenant, conversation, lock=True)
    if row.state != InCharge.HUMAN:
        raise NotWithHuman
    await record(tx, by, "conversation.replied", target=encode(PREFIXES["conversation"], conversation))
    return await remember(tx, row, Speaker.HUMAN, content, Outcome.COMPLETE, author=person)


async def hand_back(tx: Tx, tenant: TenantId, conversation: ConversationId, *, by: Actor) -> None:
    """The assistant answers again; with its next turn it learns what was said meanwhile. Raises NotFound.

    A second call changes nothing.
    """
    row = await read(tx, tenant, conversation, lock=True)
    if row.state == InCharge.ASSISTANT:
        return
    row.state = InCharge.ASSISTANT
    await record(tx, by, "conversation.handed_back", target=encode(PREFIXES["conversation"], conversation))
