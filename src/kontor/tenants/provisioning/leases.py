"""Leases: one worker at a time talks to the runtime about an instance, and a killed worker's turn comes back.

A lease is two columns of the instance's row. Its holder renews it while it works; whoever finds it expired may take
it. What a worker writes back is fenced: only the holder may write.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select, update

from kontor.core.db import Tx
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.model import Instance

LEASE: Final = timedelta(seconds=9)
RENEW_S: Final = 3.0


async def take(tx: Tx, worker: UUID, instances: Collection[InstanceId]) -> set[InstanceId]:
    """Those of the instances that are the worker's now; others' leases and locked rows are left out."""
    free = (
        select(Instance.id)
        .where(Instance.id.in_(instances))
        .where(or_(Instance.lease_until.is_(None), Instance.lease_until <= tx.now, Instance.lease_by == worker))
        .with_for_update(skip_locked=True)
    )
    taken = await tx.scalars(
        update(Instance)
        .where(Instance.id.in_(free.scalar_subquery()))
        .values(lease_by=worker, lease_until=tx.now + LEASE)
        .returning(Instance.id)
    )
    return {InstanceId(instance) for instance in taken}


async def renew(tx: Tx, worker: UUID) -> None:
    """All leases that the worker still holds last LEASE from now."""
    await tx.execute(update(Instance).where(Instance.lease_by == worker).values(lease_until=tx.now + LEASE))


async def release(tx: Tx, worker: UUID, instances: Iterable[InstanceId] | None = None) -> None:
    """The worker's leases are free for everybody; all of them when none are named."""
    free = update(Instance).where(Instance.lease_by == worker).values(lease_by=None, lease_until=None)
    await tx.execute(free if instances is None else free.where(Instance.id.in_(list(instances))))


async def held(tx: Tx, worker: UUID, instance: InstanceId) -> Instance | None:
    """The row, locked, while the worker's lease is its own; None when somebody else took it or the row is gone."""
    return await tx.scalar(
        select(Instance)
        .where(Instance.id == instance, Instance.lease_by == worker)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
