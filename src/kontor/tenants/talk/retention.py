"""Deleting old conversations after the tenant's own retention, with an entry in its audit log.

Source: product page, "What the assistant must do" (30, 60 or 90 days).
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from kontor.core.audit import SYSTEM, record
from kontor.core.db import Database, Tx
from kontor.core.ids import TenantId
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.talk.model import Conversation

SCHEDULE: Final = "conversations.retention"
EVERY_NIGHT: Final = "17 2 * * *"


async def purge(tx: Tx, tenant: TenantId, before: datetime) -> int:
    """Conversations in which nothing was said since `before` are gone; how many. The audit log tells it."""
    gone = await tx.scalars(
        delete(Conversation)
        .where(Conversation.tenant_id == tenant, Conversation.last_at < before)
        .returning(Conversation.id)
    )
    count = len(gone.all())
    if count:
        await record(
            tx,
            SYSTEM,
            "conversations.purged",
            tenant=tenant,
            data={"count": count, "before": before.isoformat()},
        )
    return count


async def purge_all(database: Database) -> None:
    """Every tenant's retention is kept; one unit of work per tenant."""
    async with database.system_uow() as tx:
        rows = await tx.execute(
            select(Tenant.id, Tenant.retention_days).where(Tenant.state != TenantState.ERASING).order_by(Tenant.id)
        )
        due = [(TenantId(tenant), tx.now - timedelta(days=days)) for tenant, days in rows]
    for tenant, before in due:
        async with database.uow(tenant) as tx:
            await purge(tx, tenant, before)
