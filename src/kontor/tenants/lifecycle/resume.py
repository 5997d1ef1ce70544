"""The reason of a suspension is gone."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.errors import NotPossible
from kontor.tenants.events import TenantResumed
from kontor.tenants.lifecycle.rows import instance_of, move, target_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.provisioning.nudge import nudge
from kontor.tenants.states import Phase, tenant_step


async def resume(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """The assistant is started again; one that was suspended during its provisioning takes that up again.

    A second call changes nothing. Raises NotFound, NotPossible (not activated yet, being erased).
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.ACTIVE:
        return
    if row.state == TenantState.ONBOARDING:
        raise NotPossible(TenantState.ONBOARDING, TenantState.ACTIVE)  # that is for the contracts to decide
    row.state = tenant_step(TenantState(row.state), TenantState.ACTIVE)
    row.suspended_for = None
    instance = await instance_of(tx, tenant, lock=True)
    if instance is not None:
        await move(tx, instance, Phase.PROVISIONING if instance.ready_at is None else Phase.READY)
    await nudge(tx)
    await audit.record(tx, by, "tenant.resumed", target=target_of(tenant), tenant=tenant)
    await publish(tx, TenantResumed(tenant))
