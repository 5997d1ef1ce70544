"""Reading a chain of the audit log: newest first, with the personal fields opened as far as their key still exists."""

from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import select

from kontor.core.audit import AuditEntry
from kontor.core.crypto import KeyDestroyed
from kontor.core.db import Tx
from kontor.core.ids import TenantId


@dataclass(frozen=True, slots=True)
class EntryView:
    """One link. `personal` is empty when there was nothing personal; `is_erased` when its key was destroyed."""

    seq: int
    at: datetime
    actor_kind: str
    actor: str
    action: str
    target: str | None
    hash: str
    data: dict[str, object] = field(default_factory=dict)
    personal: dict[str, object] = field(default_factory=dict)
    is_erased: bool = False


async def read_chain(tx: Tx, chain: TenantId, *, before: int | None, limit: int) -> list[EntryView]:
    """Entries with a number below `before`, the newest first; one more than `limit` when there are more."""
    query = select(AuditEntry).where(AuditEntry.tenant_id == chain).order_by(AuditEntry.seq.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    return [await _view(tx, entry) for entry in await tx.scalars(query)]


async def _view(tx: Tx, entry: AuditEntry) -> EntryView:
    personal: dict[str, object] = {}
    is_erased = False
    if entry.personal is not None and entry.personal_owner is not None:
        try:
            opened = await tx.vault.open(entry.personal_owner, f"audit_entries.personal:{entry.seq}", entry.personal)
            personal = orjson.loads(opened)
        except KeyDestroyed:
            is_erased = True
    return EntryView(
        seq=entry.seq,
        at=entry.at,
        actor_kind=entry.actor_kind,
        actor=entry.actor_id,
        action=entry.action,
        target=entry.target,
        hash=entry.hash.hex(),
        data=entry.data,
        personal=personal,
        is_erased=is_erased,
    )
