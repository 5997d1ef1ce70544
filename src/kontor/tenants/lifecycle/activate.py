"""All contracts are accepted: the tenant is active and its assistant is on its way."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.errors import NotPossible
from kontor.tenants.events import TenantActivated
from kontor.tenants.lifecycle.rows import target_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.provisioning.nudge import nudge
from kontor.tenants.states import tenant_step


async def activate(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """The tenant is active; the reconciler gives it an instance at once. Called with the last acceptance.

    A second call changes nothing. Raises NotFound, NotPossible (suspended or being erased).
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.ACTIVE:
        return
    if row.state == TenantState.SUSPENDED:
        raise NotPossible(TenantState.SUSPENDED, TenantState.ACTIVE)  # that is resume's to decide
    row.state = tenant_step(TenantState(row.state), TenantState.ACTIVE)
    row.activated_at = tx.now
    await nudge(tx)
    await audit.record(tx, by, "tenant.activated", target=target_of(tenant), tenant=tenant)
    await publish(tx, TenantActivated(tenant))
