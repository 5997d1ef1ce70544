"""Trying again at once what the reconciler gave up or waits to repeat."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import TenantId
from kontor.tenants.errors import NotPossible
from kontor.tenants.lifecycle.rows import instance_of, move, target_of
from kontor.tenants.states import Phase


async def retry_provisioning(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """A failed provisioning begins anew with all its tries; one that waits for its next try has it now.

    Raises NotFound (no assistant yet), NotPossible (in no state that starts anything).
    """
    instance = await instance_of(tx, tenant, lock=True)
    if instance is None:
        raise NotFound
    if instance.phase == Phase.SUSPENDED:
        raise NotPossible(Phase.SUSPENDED, Phase.PROVISIONING)  # that is resume's to decide
    await move(tx, instance, Phase.READY if instance.phase == Phase.READY else Phase.PROVISIONING)
    await audit.record(tx, by, "assistant.retried", target=target_of(tenant), tenant=tenant)
