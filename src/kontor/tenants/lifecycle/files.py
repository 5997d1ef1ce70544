"""Telling provisioning that what an instance's files say about the tenant has changed."""

from kontor.core.db import Tx
from kontor.core.ids import TenantId
from kontor.tenants.lifecycle.rows import instance_of
from kontor.tenants.provisioning.nudge import nudge


async def renew_files(tx: Tx, tenant: TenantId) -> None:
    """The reconciler writes the tenant's files anew; without an instance there is nothing to write yet."""
    instance = await instance_of(tx, tenant, lock=True)
    if instance is None:
        return
    instance.revision += 1
    instance.due_at = tx.now
    await nudge(tx)
