"""The rows that use cases of the lifecycle work on, found and locked in one order: tenant, then instance."""

from sqlalchemy import select

from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import TenantId, encode
from kontor.tenants.model import Tenant
from kontor.tenants.provisioning.model import Assignment, AssistantSettings, Instance
from kontor.tenants.provisioning.nudge import nudge
from kontor.tenants.states import Phase, step


async def tenant_of(tx: Tx, tenant: TenantId, *, lock: bool = False) -> Tenant:
    """The tenant's row, locked until the transaction ends if asked. Raises NotFound."""
    query = select(Tenant).where(Tenant.id == tenant).execution_options(populate_existing=lock)
    row = await tx.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound
    return row


async def instance_of(tx: Tx, tenant: TenantId, *, lock: bool = False) -> Instance | None:
    """The tenant's instance, or None while it has none."""
    query = (
        select(Instance)
        .join(Assignment, Assignment.instance_id == Instance.id)
        .where(Assignment.tenant_id == tenant)
        .execution_options(populate_existing=lock)
    )
    return await tx.scalar(query.with_for_update(of=Instance) if lock else query)


async def settings_of(tx: Tx, tenant: TenantId, *, lock: bool = False) -> AssistantSettings:
    """What the tenant says about its assistant. Raises NotFound."""
    query = (
        select(AssistantSettings).where(AssistantSettings.tenant_id == tenant).execution_options(populate_existing=lock)
    )
    row = await tx.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound
    return row


async def move(tx: Tx, instance: Instance, wanted: Phase) -> None:
    """The instance should be in `wanted` and the reconciler hears of it at commit. Raises NotPossible."""
    instance.phase = step(Phase(instance.phase), wanted)
    instance.generation += 1
    instance.tries = 0
    instance.failure_code = instance.failure_detail = None
    instance.due_at = tx.now
    await nudge(tx)


def target_of(tenant: TenantId) -> str:
    """How the audit log names the tenant."""
    return encode("tnt", tenant)
