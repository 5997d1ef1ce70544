"""Calls in a tenant's content log, as a gateway writes them."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select

from kontor.billing.metering.content.box import seal_content
from kontor.billing.metering.content.model import ContentEntry, ContentLog
from kontor.billing.metering.content.switch import switch_on
from kontor.core.audit import SYSTEM
from kontor.core.db import Database
from kontor.core.ids import TenantId, UsageEventId, new_id


async def logged(
    database: Database, tenant: TenantId, request: str, answer: str, *, at: datetime | None = None
) -> UsageEventId:
    """The tenant's log is on if it never was, and holds this call."""
    async with database.uow(tenant) as tx:
        if await tx.scalar(select(ContentLog.is_on)) is None:
            await switch_on(tx, tenant, 7, SYSTEM, is_confirmed=True)
    async with database.system_uow() as tx:
        when = at or tx.now
        entry = UsageEventId(new_id(when))
        public = await tx.scalar(select(ContentLog.public_key).where(ContentLog.tenant_id == tenant))
        assert public is not None
        texts = (request.encode(), answer.encode())
        tx.add(
            ContentEntry(
                tenant_id=tenant,
                id=entry,
                at=when,
                key_id=uuid4(),
                model="assistant",
                dialect="chat",
                status=200,
                request_bytes=len(texts[0]),
                answer_bytes=len(texts[1]),
                is_truncated=False,
                content=seal_content(public, tenant, entry, *texts),
            )
        )
    return entry
