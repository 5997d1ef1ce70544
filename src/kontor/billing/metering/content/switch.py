"""Switching a tenant's content log on and off. Off by default; the tenant's keys carry the choice to the gateways."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from kontor.billing.errors import ContentLogNotConfirmed, ContentLogRetention
from kontor.billing.metering.content.model import ContentEntry, ContentLog
from kontor.billing.metering.content.notice import VERSION
from kontor.billing.metering.gateway_keys import set_content_key
from kontor.core.audit import Actor, record
from kontor.core.db import Tx
from kontor.core.ids import TenantId
from kontor.core.sealed_box import new_pair

DEFAULT_DAYS: Final = 7
DAYS: Final = range(1, 31)


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands. `since` is when it was last switched, None when it never was; `entries` are still there."""

    is_on: bool
    retention_days: int
    since: datetime | None
    entries: int


async def standing(tx: Tx, tenant: TenantId) -> Standing:
    """Whether the tenant has a content log, and how much is in it."""
    row = await tx.scalar(select(ContentLog).where(ContentLog.tenant_id == tenant))
    count = select(func.count()).select_from(ContentEntry).where(ContentEntry.tenant_id == tenant)
    entries = await tx.scalar(count) or 0
    if row is None:
        return Standing(is_on=False, retention_days=DEFAULT_DAYS, since=None, entries=entries)
    return Standing(row.is_on, row.retention_days, row.changed_at, entries)


async def switch_on(tx: Tx, tenant: TenantId, retention_days: int, by: Actor, *, is_confirmed: bool) -> None:
    """Calls are logged a second later and deleted after `retention_days`; a second call changes the days.

    `is_confirmed`: whoever does it has read the notice. Raises ContentLogNotConfirmed, ContentLogRetention.
    """
    if not is_confirmed:
        raise ContentLogNotConfirmed
    if retention_days not in DAYS:
        raise ContentLogRetention(DAYS[0], DAYS[-1])
    row = await _locked(tx, tenant)
    if row is None:
        private, public = new_pair()
        sealed = await tx.vault.seal(tenant, private_key_aad(tenant), private)
        row = ContentLog(tenant_id=tenant, public_key=public, private_key=sealed)
        tx.add(row)
    row.is_on, row.retention_days, row.changed_at = True, retention_days, tx.now
    await tx.flush()
    await set_content_key(tx, tenant, row.public_key)
    data = {"retention_days": retention_days, "notice": VERSION}
    await record(tx, by, "content_log.switched_on", tenant=tenant, data=data)


async def switch_off(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """Nothing is logged from now on; what is there stays until its time is over. A second call changes nothing."""
    row = await _locked(tx, tenant)
    if row is None or not row.is_on:
        return
    row.is_on, row.changed_at = False, tx.now
    await tx.flush()
    await set_content_key(tx, tenant, None)
    await record(tx, by, "content_log.switched_off", tenant=tenant)


def private_key_aad(tenant: TenantId) -> str:
    """Where the private key stands, for the vault."""
    return f"content_logs.private_key:{tenant}"


async def _locked(tx: Tx, tenant: TenantId) -> ContentLog | None:
    found: ContentLog | None = await tx.scalar(
        select(ContentLog).where(ContentLog.tenant_id == tenant).with_for_update()
    )
    return found
