"""After a restore of the database: every erasure of the register is carried out again, before anybody is served.

The restored rows cannot be read any more, because their keys lie outside the database; but they are there.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from kontor.core import audit
from kontor.core.db import Database, Tx
from kontor.core.errors import Unavailable
from kontor.core.ids import ErasureId, InstanceId
from kontor.core.jobs import enqueue
from kontor.tenants.leaving.erase import ADVANCE_JOB
from kontor.tenants.leaving.eraser import Eraser
from kontor.tenants.leaving.model import Erasure, ErasureStep
from kontor.tenants.leaving.ports import ErasureRegister, Registered
from kontor.tenants.lifecycle import end
from kontor.tenants.model import Tenant
from kontor.tenants.people.model import Person
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed, Runtime


async def replay_register(
    database: Database, register: ErasureRegister, runtime: Runtime, eraser: Eraser
) -> Sequence[ErasureId]:
    """Whatever a restore brought back of an erased tenant is gone again; which erasures had to be repeated.

    Runs while nothing else does. An assistant that still has a process or a volume is left to the reconciler, and its
    erasure goes on as a job. A second call finds nothing to do. Raises Unavailable.
    """
    repeated = []
    alive = set(await database.vault.owners())
    for entry in await register.entries():
        async with database.system_uow() as tx:
            if not await _is_undone(tx, entry, alive):
                continue
        for owner in (entry.tenant, *entry.persons):
            await database.vault.destroy_key(owner)
        async with database.system_uow() as tx:
            await _begin_anew(tx, entry)
        await _forget_what_is_absent(database, runtime, entry)
        try:
            await eraser.advance(entry.erasure)
        except Unavailable:
            async with database.system_uow() as tx:
                await enqueue(tx, ADVANCE_JOB, {"erasure": str(entry.erasure)}, tenant=entry.tenant)
        repeated.append(entry.erasure)
    return repeated


async def _is_undone(tx: Tx, entry: Registered, alive: AbstractSet[UUID]) -> bool:
    """Whether tenant or persons are there again, to whom all other rows refer, or their data keys are `alive`.

    An erasure that is still on its way is not: it goes on from its step, and its row is of the same time as the rows
    that it has yet to delete, also in a backup.
    """
    row = await tx.get(Erasure, UUID(str(entry.erasure)), with_for_update=True)
    if row is not None and row.done_at is None:
        row.persons = sorted({*row.persons, *entry.persons})
        return False
    tenant = await tx.scalar(select(Tenant.id).where(Tenant.id == entry.tenant))
    person = await tx.scalar(select(Person.id).where(Person.id.in_(entry.persons)).limit(1))
    has_key = not alive.isdisjoint({entry.tenant, *entry.persons})
    return row is None or tenant is not None or person is not None or has_key


async def _begin_anew(tx: Tx, entry: Registered) -> None:
    """The erasure stands at its beginning, and the tenant, if it is there, is erasing."""
    anew = {
        "step": ErasureStep.REGISTER,
        "tries": 0,
        "failure": None,
        "instances": [],
        "persons": list(entry.persons),
        "proof": None,
        "requested_at": entry.requested_at,
        "due_at": tx.now,
        "done_at": None,
    }
    # One that the restored database knows under another id was asked for again after the restore's time.
    other = (Erasure.erased_tenant_id == entry.tenant, Erasure.id != entry.erasure)
    await tx.execute(delete(Erasure).where(*other))
    row = insert(Erasure).values(id=entry.erasure, erased_tenant_id=entry.tenant, **anew)
    await tx.execute(row.on_conflict_do_update(index_elements=["id"], set_=anew))
    if await tx.scalar(select(Tenant.id).where(Tenant.id == entry.tenant)) is not None:
        await end.request_erasure(tx, entry.tenant, audit.SYSTEM)
    instances = (await tx.scalars(select(Assignment.instance_id).where(Assignment.tenant_id == entry.tenant))).all()
    await tx.execute(update(Erasure).where(Erasure.id == entry.erasure).values(instances=list(instances)))


async def _forget_what_is_absent(database: Database, runtime: Runtime, entry: Registered) -> None:
    """Rows of assistants of which the runtime has nothing: there is nothing that the reconciler could end."""
    async with database.system_uow() as tx:
        query = select(Assignment.instance_id).where(Assignment.tenant_id == entry.tenant)
        instances = [InstanceId(instance) for instance in await tx.scalars(query)]
    absent = [one for one in instances if (await runtime.observe(one)).state is Observed.ABSENT]
    async with database.system_uow() as tx:
        await tx.execute(delete(Assignment).where(Assignment.instance_id.in_(absent)))
        await tx.execute(delete(Instance).where(Instance.id.in_(absent)))
