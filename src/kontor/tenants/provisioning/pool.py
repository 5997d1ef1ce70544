"""The warm pool and the assignment: unassigned instances that wait, and how one becomes a tenant's for ever.

An instance belongs to the pool while its secrets are sealed for itself. Owns how many there are and who gets which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, select, text

from kontor.core import audit
from kontor.core.db import Database, Tx
from kontor.core.events import publish
from kontor.core.ids import InstanceId, TenantId, encode, new_id
from kontor.tenants.events import InstanceAssigned
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.ports import Dialects, GatewayKeys
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.secrets import open_secrets, seal_secrets, warm
from kontor.tenants.provisioning.spec import DIALECT
from kontor.tenants.states import Phase, step

_POOL_LOCK: Final = 0x6B6F6E746F72_0001
_CANDIDATES: Final = 5


@dataclass(frozen=True, slots=True)
class Making:
    """What new instances are made of. `release` is the blueprint's version that the pool holds."""

    site: str
    release: str
    memory_mb: int
    pool_size: int


class Pool:
    """Keeps the pool filled and staffs tenants that have no assistant yet. Safe beside others of its kind."""

    def __init__(self, database: Database, keys: GatewayKeys, dialects: Dialects, making: Making) -> None:
        self._database = database
        self._keys = keys
        self._dialects = dialects
        self._making = making

    def fits(self, releases: Sequence[str]) -> bool:
        """Whether a pool of instances of these releases is what it should be."""
        return list(releases) == [self._making.release] * self._making.pool_size

    async def keep_filled(self) -> bool:
        """The pool holds `pool_size` instances of the current release, ready or on their way; whether that was new.

        Those of other releases and surplus ones end. Failed ones count: they are tried again, not multiplied.
        """
        async with self._database.system_uow() as tx:
            # Two workers that count at the same time would both fill the same gap.
            await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POOL_LOCK})
            waiting = list(await tx.scalars(_pooled().order_by(_is_ready().desc(), Instance.id).with_for_update()))
            current = [instance for instance in waiting if instance.release == self._making.release]
            keep = current[: self._making.pool_size]
            ending = [instance for instance in waiting if instance not in keep]
            for instance in ending:
                end(tx, instance)
            missing = self._making.pool_size - len(keep)
            for _ in range(missing):
                fresh = self._fresh(tx, InstanceId(new_id()))
                tx.add(fresh)
        return bool(ending or missing)

    async def staff(self, tenant: TenantId) -> InstanceId | None:
        """The active tenant has an instance: a ready one of the pool, else one on its way there, else a new one.

        None when it has one already, is not active, or another worker is at it.
        """
        await warm(self._database.vault, tenant)
        async with self._database.system_uow() as tx:
            candidates = list(await tx.scalars(self._candidates().limit(_CANDIDATES)))
        for candidate in candidates:
            if candidate.has_own_key:
                await warm(self._database.vault, candidate.id)
        async with self._database.system_uow() as tx:
            row = await _unstaffed(tx, tenant)
            if row is None:
                return None
            free = self._candidates().where(Instance.id.in_([candidate.id for candidate in candidates]))
            instance = await tx.scalar(free.limit(1).with_for_update(skip_locked=True))
            from_pool = instance is not None
            if instance is None:
                instance = self._fresh(tx, InstanceId(new_id()), row)
                tx.add(instance)
                await tx.flush()
            else:
                await self._hand_over(tx, instance, row)
            tx.add(Assignment(tenant_id=tenant, instance_id=instance.id, assigned_at=tx.now))
            await audit.record(
                tx,
                audit.SYSTEM,
                "instance.assigned",
                target=encode("ins", instance.id),
                tenant=tenant,
                data={"from_pool": from_pool, "release": instance.release},
            )
            await publish(tx, InstanceAssigned(tenant, InstanceId(instance.id), from_pool))
        return InstanceId(instance.id)

    async def _hand_over(self, tx: Tx, instance: Instance, tenant: Tenant) -> None:
        secrets = await open_secrets(tx.vault, instance)
        if secrets is None:
            instance.sealed_for = tenant.id
        else:
            await seal_secrets(tx.vault, instance, tenant.id, secrets)
            await self._keys.bind(tx, InstanceId(instance.id), TenantId(tenant.id))
        instance.dialect = self._dialects.dialect(tenant.residency) or instance.dialect
        instance.generation += 1
        instance.revision += 1
        instance.due_at = tx.now

    def _candidates(self) -> Select[Instance]:
        """Those of the pool that a tenant may get, best first: ready, then the one that has been starting longest."""
        return (
            _pooled()
            .where(Instance.release == self._making.release)
            .where(Instance.phase.in_([Phase.READY, Phase.PROVISIONING]), Instance.failure_code.is_(None))
            .order_by(_is_ready().desc(), Instance.id)
        )

    def _fresh(self, tx: Tx, instance: InstanceId, owner: Tenant | None = None) -> Instance:
        return Instance(
            id=instance,
            site=self._making.site,
            release=self._making.release,
            phase=Phase.PROVISIONING,
            observed=Observed.ABSENT,
            sealed_for=owner.id if owner else instance,
            memory_mb=self._making.memory_mb,
            dialect=self._dialects.dialect(owner.residency if owner else None) or DIALECT,
            due_at=tx.now,
            created_at=tx.now,
        )


def end(tx: Tx, instance: Instance) -> None:
    """The instance is to go, with everything it has."""
    instance.phase = step(Phase(instance.phase), Phase.ENDING)
    instance.generation += 1
    instance.due_at = tx.now


def _pooled() -> Select[Instance]:
    # On the row itself, not on `assignments`: whoever waited for its lock must see that it has gone to another.
    return select(Instance).where(Instance.sealed_for == Instance.id, Instance.phase != Phase.ENDING)


def _is_ready() -> ColumnElement[bool]:
    return (Instance.phase == Phase.READY) & (Instance.observed == Observed.READY)


async def _unstaffed(tx: Tx, tenant: TenantId) -> Tenant | None:
    row = await tx.scalar(
        select(Tenant).where(Tenant.id == tenant, Tenant.state == TenantState.ACTIVE).with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    # A statement of its own: it sees what another worker committed just before the lock was ours.
    has_one = await tx.scalar(select(Assignment.tenant_id).where(Assignment.tenant_id == tenant))
    return row if has_one is None else None
