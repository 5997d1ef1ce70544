"""Where a tenant's messages go: what the chat edge needs to know about the instance, and that it was used."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import or_, select, update

from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.secrets import open_secrets
from kontor.tenants.states import Phase

TOUCH_EVERY: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Target:
    """`phase` is None while the tenant has no instance. `token` is owner of everything on it: never show it."""

    state: TenantState
    phase: Phase | None
    observed: Observed
    instance: InstanceId | None = None
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    failure_code: str | None = None

    @property
    def is_serving(self) -> bool:
        """Whether a message may go there now."""
        return (
            self.state is TenantState.ACTIVE
            and self.phase is Phase.READY
            and self.observed is Observed.READY
            and self.endpoint is not None
        )


async def target(tx: Tx, tenant: TenantId) -> Target:
    """As of this transaction; ask again to wait for a wake-up. Raises NotFound, KeyDestroyed."""
    found = (
        await tx.execute(
            select(Tenant.state, Instance, Assignment.ready_at)
            .select_from(Tenant)
            .outerjoin(Assignment, Assignment.tenant_id == Tenant.id)
            .outerjoin(Instance, Instance.id == Assignment.instance_id)
            .where(Tenant.id == tenant)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    state, instance, ready_at = TenantState(found[0]), found[1], found[2]
    if instance is None:
        return Target(state, None, Observed.ABSENT)
    secrets = await open_secrets(tx.vault, instance)
    # Of the pool and ready, but not with this tenant's files yet: to the tenant it is still being set up.
    phase = Phase.PROVISIONING if instance.phase == Phase.READY and ready_at is None else Phase(instance.phase)
    return Target(
        state=state,
        phase=phase,
        observed=Observed(instance.observed),
        instance=InstanceId(instance.id),
        endpoint=instance.endpoint,
        token=secrets.token if secrets else None,
        failure_code=instance.failure_code,
    )


async def touch(tx: Tx, tenant: TenantId) -> None:
    """The instance was used just now, to within ten seconds: not every message writes a row."""
    assigned = select(Assignment.instance_id).where(Assignment.tenant_id == tenant)
    await tx.execute(
        update(Instance)
        .where(Instance.id.in_(assigned.scalar_subquery()))
        .where(or_(Instance.last_used_at.is_(None), Instance.last_used_at < tx.now - TOUCH_EVERY))
        .values(last_used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
