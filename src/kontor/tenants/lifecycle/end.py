"""The tenant goes: its assistant is removed, and whoever erases the rest is told."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.events import TenantErasureRequested
from kontor.tenants.lifecycle.rows import instance_of, move, target_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.states import Phase, tenant_step


async def request_erasure(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """The tenant is erasing and nothing brings it back; its process, volume, keys and instance rows go.

    AssistantRemoved tells when they are gone. A second call changes nothing. Raises NotFound.
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.ERASING:
        return
    row.state = tenant_step(TenantState(row.state), TenantState.ERASING)
    instance = await instance_of(tx, tenant, lock=True)
    if instance is not None:
        await move(tx, instance, Phase.ENDING)
    await audit.record(tx, by, "tenant.erasure_requested", target=target_of(tenant), tenant=tenant)
    await publish(tx, TenantErasureRequested(tenant))
