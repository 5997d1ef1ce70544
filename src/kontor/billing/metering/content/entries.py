"""Reading a tenant's content log, and deleting from it. Every reading of what was said is in the tenant's audit log."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from sqlalchemy import ColumnElement, delete, func, select

from kontor.billing.metering.content.box import open_content
from kontor.billing.metering.content.model import ContentEntry, ContentLog
from kontor.billing.metering.content.switch import private_key_aad
from kontor.core.audit import SYSTEM, Actor, record
from kontor.core.crypto import Tampered
from kontor.core.db import Database, Tx
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, TenantId, UsageEventId, encode

log = structlog.get_logger(__name__)

SCHEDULE: Final = "content.retention"
EVERY_HOUR: Final = "37 * * * *"
_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One call, without what was said. Sizes in bytes, before cutting; `status` is None when nothing was answered."""

    id: UsageEventId
    at: datetime
    model: str
    dialect: str
    status: int | None
    request_bytes: int
    answer_bytes: int
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One call with what was said, as it passed: JSON, or the events of a stream."""

    line: EntryLine
    request: str
    answer: str


async def list_entries(
    tx: Tx, tenant: TenantId, *, before: UsageEventId | None = None, limit: int = 50
) -> list[EntryLine]:
    """Up to `limit + 1` calls older than `before`, the newest first. What was said stays sealed."""
    query = select(ContentEntry).where(ContentEntry.tenant_id == tenant).order_by(ContentEntry.id.desc())
    if before is not None:
        query = query.where(ContentEntry.id < before)
    return [_line(row) for row in await tx.scalars(query.limit(limit + 1))]


async def read_entry(tx: Tx, tenant: TenantId, entry: UsageEventId, by: Actor) -> Entry:
    """What was said in one call; the audit log tells who read it. Raises NotFound, KeyDestroyed, Tampered."""
    row = await tx.scalar(select(ContentEntry).where(ContentEntry.tenant_id == tenant, ContentEntry.id == entry))
    if row is None:
        raise NotFound
    read = _opened(await _private_key(tx, tenant), row)
    await record(tx, by, "content_log.read", target=encode(PREFIXES["usage_event"], entry), tenant=tenant)
    return read


async def note_reading(tx: Tx, tenant: TenantId, by: Actor, how: str) -> None:
    """The audit log tells that all of it was taken: `how` is downloaded or exported."""
    count = await tx.scalar(select(func.count()).select_from(ContentEntry).where(ContentEntry.tenant_id == tenant))
    await record(tx, by, f"content_log.{how}", tenant=tenant, data={"entries": count or 0})


async def lines(database: Database, tenant: TenantId, until: datetime) -> AsyncIterator[str]:
    """All calls until an instant as JSON lines, the oldest first; units of work of their own, note_reading before.

    A row that does not open is told in the log and left out.
    """
    after: UsageEventId | None = None
    while True:
        async with database.uow(tenant) as tx:
            query = select(ContentEntry).where(ContentEntry.tenant_id == tenant, ContentEntry.at <= until)
            if after is not None:
                query = query.where(ContentEntry.id > after)
            rows = (await tx.scalars(query.order_by(ContentEntry.id).limit(_BATCH))).all()
            private = await _private_key(tx, tenant) if rows else b""
        for row in rows:
            after = UsageEventId(row.id)
            try:
                yield _json(_opened(private, row))
            except Tampered:
                log.warning("content.unreadable", entry=str(row.id))
        if len(rows) < _BATCH:
            return


async def delete_entries(tx: Tx, tenant: TenantId, by: Actor) -> int:
    """Nothing that was logged so far is left; how many calls. The audit log tells it."""
    count = await _delete(tx, ContentEntry.tenant_id == tenant)
    await record(tx, by, "content_log.deleted", tenant=tenant, data={"entries": count})
    return count


async def purge(database: Database) -> int:
    """Every tenant's retention is kept, also after the log was switched off; how many calls are gone."""
    async with database.system_uow() as tx:
        rows = await tx.execute(select(ContentLog.tenant_id, ContentLog.retention_days).order_by(ContentLog.tenant_id))
        due = [(TenantId(tenant), tx.now - timedelta(days=days)) for tenant, days in rows]
    gone = 0
    for tenant, before in due:
        async with database.uow(tenant) as tx:
            count = await _delete(tx, ContentEntry.tenant_id == tenant, ContentEntry.at < before)
            if count:
                data = {"entries": count, "before": before.isoformat()}
                await record(tx, SYSTEM, "content_log.purged", tenant=tenant, data=data)
        gone += count
    return gone


async def _delete(tx: Tx, *which: ColumnElement[bool]) -> int:
    return len((await tx.scalars(delete(ContentEntry).where(*which).returning(ContentEntry.id))).all())


async def _private_key(tx: Tx, tenant: TenantId) -> bytes:
    sealed = await tx.scalar(select(ContentLog.private_key).where(ContentLog.tenant_id == tenant))
    if sealed is None:
        raise NotFound
    return await tx.vault.open(tenant, private_key_aad(tenant), sealed)


def _opened(private: bytes, row: ContentEntry) -> Entry:
    request, answer = open_content(private, row.tenant_id, row.id, row.content)
    return Entry(_line(row), request, answer)


def _line(row: ContentEntry) -> EntryLine:
    sizes = (row.request_bytes, row.answer_bytes, row.is_truncated)
    return EntryLine(UsageEventId(row.id), row.at, row.model, row.dialect, row.status, *sizes)


def _json(entry: Entry) -> str:
    line = asdict(entry.line) | {"id": encode(PREFIXES["usage_event"], entry.line.id)}
    content = line | {"request": entry.request, "answer": entry.answer}
    return orjson.dumps(content, option=orjson.OPT_UTC_Z).decode() + "\n"
