"""The short units of work after a turn: what was said and what was sent is stored, and the next turn may begin."""

from uuid import UUID

from sqlalchemy import update

from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import MessageId, TenantId
from kontor.tenants.provisioning.talk import Tokens
from kontor.tenants.talk.conversation import read, release, remember
from kontor.tenants.talk.entry import Entry
from kontor.tenants.talk.model import Message, Outcome, Speaker
from kontor.tenants.talk.turn_limits.count import give_back


async def settle(
    tx: Tx,
    tenant: TenantId,
    entry: Entry,
    turn: UUID,
    *,
    answer: str,
    outcome: Outcome,
    used: Tokens | None,
    was_sent: bool,
) -> None:
    """The answer, however it ended, is stored under the turn's id. A conversation erased meanwhile stays erased.

    A turn that was not sent to the assistant does not count. A second call changes nothing.
    """
    try:
        row = await read(tx, tenant, entry.conversation, lock=True)
    except NotFound:
        return
    release(row, turn)
    stored = await tx.execute(
        update(Message)
        .where(
            Message.tenant_id == tenant,
            Message.id == entry.message,
            Message.outcome == Outcome.UNANSWERED,
        )
        .values(outcome=outcome)
        .returning(Message.id)
    )
    if stored.one_or_none() is None:
        return
    if entry.counted is not None and not was_sent:
        await give_back(tx, tenant, entry.counted)
    if answer:
        await remember(tx, row, Speaker.ASSISTANT, answer, outcome, message=MessageId(turn), used=used)
    if outcome is Outcome.COMPLETE and entry.is_briefed:
        row.unbriefed_from = None


async def mark_sent(tx: Tx, tenant: TenantId, entry: Entry) -> None:
    """The preface went out: the end user has been told, and has what humans wrote."""
    try:
        row = await read(tx, tenant, entry.conversation, lock=True)
    except NotFound:
        return
    if entry.preface.discloses and row.disclosed_at is None:
        row.disclosed_at = tx.now
    row.heard_seq = max(row.heard_seq, entry.preface.heard_seq)
