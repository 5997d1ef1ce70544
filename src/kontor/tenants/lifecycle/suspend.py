"""Suspending a tenant: the assistant answers with the notice and asks no model."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.events import Suspension, TenantSuspended
from kontor.tenants.lifecycle.rows import instance_of, move, target_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.states import Phase, tenant_step


async def suspend(tx: Tx, tenant: TenantId, why: Suspension, by: Actor) -> None:
    """The assistant is stopped and the notice answers for it; data, export and invoices stay.

    A second call changes nothing. Raises NotFound, NotPossible (not activated yet, being erased).
    Source: product page, "Contracts" (AUP) and "Plans" (dunning).
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.SUSPENDED:
        return
    row.state = tenant_step(TenantState(row.state), TenantState.SUSPENDED)
    row.suspended_for = why
    instance = await instance_of(tx, tenant, lock=True)
    if instance is not None:
        await move(tx, instance, Phase.SUSPENDED)
    await audit.record(tx, by, "tenant.suspended", target=target_of(tenant), tenant=tenant, data={"why": why})
    await publish(tx, TenantSuspended(tenant, why))
