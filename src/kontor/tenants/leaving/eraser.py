"""Carrying out an erasure: a row with a step, moved on by a job that may be killed at any line.

Each step can be done again without harm, and is done before the row says so. Nothing remote happens inside a
transaction. The register comes first, so that a restore in the middle does not forget the request; the tenant's data
key goes last, and then it is measured what is left. If anything is, the deletion begins anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import MetaData, delete, select, update

from kontor.core import audit
from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.files import Files
from kontor.core.i18n import Text
from kontor.core.ids import ErasureId, InstanceId, PersonId, TenantId
from kontor.core.jobs import Job, enqueue
from kontor.tenants.leaving import rows
from kontor.tenants.leaving.build import scratch_left, sweep_scratch
from kontor.tenants.leaving.erase import ADVANCE_JOB
from kontor.tenants.leaving.model import Erasure, ErasureStep, Export
from kontor.tenants.leaving.ports import ErasureRegister, Registered, UsageRecords
from kontor.tenants.lifecycle.rows import move, target_of
from kontor.tenants.ports import GatewayKeys
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed, Runtime, RuntimeFailure
from kontor.tenants.states import Phase

log = structlog.get_logger(__name__)

ORDER: Final = tuple(ErasureStep)
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=1)
_INSTANCE_GOES: Final = Text(de="Der Assistent wird noch entfernt.", en="The assistant is still being removed.")
_SOMETHING_LEFT: Final = Text(de="Es ist noch nicht alles gelöscht.", en="Not everything is erased yet.")


class Eraser:
    """The handler of ADVANCE_JOB. `metadata` holds every table of the product; `scratch` is that of the exports."""

    def __init__(
        self,
        database: Database,
        *,
        files: Files,
        runtime: Runtime,
        keys: GatewayKeys,
        usage: UsageRecords,
        register: ErasureRegister,
        metadata: MetaData,
        scratch: Path,
    ) -> None:
        self._database = database
        self._files = files
        self._runtime = runtime
        self._keys = keys
        self._usage = usage
        self._register = register
        self._metadata = metadata
        self._scratch = scratch
        self._steps: Mapping[ErasureStep, Callable[[Erasure], Awaitable[None]]] = {
            ErasureStep.REGISTER: self._write_down,
            ErasureStep.KEYS: self._revoke_keys,
            ErasureStep.INSTANCE: self._await_the_instances_end,
            ErasureStep.FILES: self._delete_files,
            ErasureStep.ROWS: self._delete_rows,
            ErasureStep.PERSONS: self._destroy_keys_of_persons,
            ErasureStep.DATA_KEY: self._destroy_data_key,
        }

    async def __call__(self, job: Job) -> None:
        """The erasure is done. Raises Unavailable while something outside is not gone yet: then again later."""
        await self.advance(ErasureId(UUID(job.args["erasure"])))

    async def advance(self, erasure: ErasureId) -> None:
        """Every step that is left is done. One that is done already, or unknown, is left alone. Raises Unavailable."""
        while True:
            row = await self._begin(erasure)
            if row is None:
                return
            step = ErasureStep(row.step)
            if step is ErasureStep.VERIFY:
                await self._verify(row)
                return
            await self._steps[step](row)
            await self._move(row, ORDER[ORDER.index(step) + 1])

    async def _begin(self, erasure: ErasureId) -> Erasure | None:
        """The row, its try counted; the schedule comes back to it when nothing else does."""
        async with self._database.system_uow() as tx:
            row = await tx.scalar(
                select(Erasure).where(Erasure.id == erasure, Erasure.done_at.is_(None)).with_for_update()
            )
            if row is not None:
                row.tries += 1
                row.due_at = tx.now + min(FIRST_PAUSE * 2 ** min(row.tries, 10), LONGEST_PAUSE)
            return row

    async def _move(self, row: Erasure, to: ErasureStep, failure: str | None = None) -> None:
        async with self._database.system_uow() as tx:
            mine = (Erasure.id == row.id, Erasure.step == row.step)
            tries = row.tries if failure else 0
            await tx.execute(update(Erasure).where(*mine).values(step=to, tries=tries, failure=failure))

    async def _write_down(self, row: Erasure) -> None:
        await self._register.add(_entry(row))

    async def _revoke_keys(self, row: Erasure) -> None:
        async with self._database.system_uow() as tx:
            await self._keys.revoke_tenant(tx, TenantId(row.erased_tenant_id))

    async def _await_the_instances_end(self, row: Erasure) -> None:
        """Ending it is the reconciler's; here it is waited for what the runtime shows. Raises Unavailable."""
        async with self._database.system_uow() as tx:
            assigned = select(Assignment.instance_id).where(Assignment.tenant_id == row.erased_tenant_id)
            known = Instance.id.in_(assigned) | Instance.id.in_(row.instances)
            left = (await tx.scalars(select(Instance).where(known).with_for_update())).all()
            for instance in left:
                if instance.phase != Phase.ENDING:
                    await move(tx, instance, Phase.ENDING)
            every = sorted({*row.instances, *(instance.id for instance in left)})
            await tx.execute(update(Erasure).where(Erasure.id == row.id).values(instances=every))
        if left or any([await self._is_there(InstanceId(one)) for one in every]):
            raise Unavailable("erasure.instance_ending", _INSTANCE_GOES)
        for owner in every:
            await self._database.vault.destroy_key(owner)

    async def _is_there(self, instance: InstanceId) -> bool:
        try:
            return (await self._runtime.observe(instance)).state is not Observed.ABSENT
        except RuntimeFailure as failure:
            log.warning("erasure.runtime_failed", code=failure.code)
            return True

    async def _delete_files(self, row: Erasure) -> None:
        tenant = TenantId(row.erased_tenant_id)
        async with self._database.system_uow() as tx:
            await tx.execute(delete(Export).where(Export.tenant_id == tenant))  # a build that runs notices it
        await asyncio.to_thread(sweep_scratch, self._scratch, tenant)
        await self._files.delete_all(tenant)

    async def _delete_rows(self, row: Erasure) -> None:
        tenant = TenantId(row.erased_tenant_id)
        await rows.delete_many(self._database, self._metadata, tenant)
        async with self._database.system_uow() as tx:
            await rows.delete_rest(tx, self._metadata, self._usage, ErasureId(row.id), tenant)

    async def _destroy_keys_of_persons(self, row: Erasure) -> None:
        await self._register.add(_entry(row))
        for person in row.persons:
            await self._database.vault.destroy_key(person)

    async def _destroy_data_key(self, row: Erasure) -> None:
        await self._database.vault.destroy_key(row.erased_tenant_id)

    async def _verify(self, row: Erasure) -> None:
        """Done with the proof, or back to deleting. Raises Unavailable when something was left."""
        tenant = TenantId(row.erased_tenant_id)
        outside = await self._left_outside(row)
        async with self._database.system_uow() as tx:
            left = await rows.rows_left(tx, self._metadata, tenant, row.persons)
            chain = await audit.verify(tx, tenant)
            is_clean = not any(left.values()) and not any(outside.values())
            if is_clean:
                proof: dict[str, Any] = {
                    "measured_at": tx.now.isoformat(),
                    "rows_left": left,
                    **outside,
                    "audit_entries": chain.entries,
                    "audit_head": chain.head.hex(),
                    "audit_is_intact": chain.is_intact,
                }
                done = (Erasure.id == row.id, Erasure.done_at.is_(None), Erasure.step == ErasureStep.VERIFY)
                ended = {"step": ErasureStep.DONE, "proof": proof, "done_at": tx.now, "persons": [], "instances": []}
                if await tx.scalar(update(Erasure).where(*done).values(ended).returning(Erasure.id)) is not None:
                    await audit.record(tx, audit.SYSTEM, "tenant.erased", target=target_of(tenant), tenant=tenant)
        if not is_clean:
            found = ", ".join(f"{name}: {count}" for name, count in {**left, **outside}.items() if count)
            log.error("erasure.something_left", erasure=str(row.id), found=found)
            await self._move(row, ErasureStep.INSTANCE, failure=found)
            raise Unavailable("erasure.something_left", _SOMETHING_LEFT)

    async def _left_outside(self, row: Erasure) -> dict[str, int]:
        """What is outside the database: files, processes and folders of instances, data keys. All counted."""
        tenant, vault = TenantId(row.erased_tenant_id), self._database.vault
        there = [await self._is_there(InstanceId(one)) for one in row.instances]
        keys = [await vault.has_key(owner) for owner in (tenant, *row.persons, *row.instances)]
        files = await self._files.count(tenant) + await asyncio.to_thread(scratch_left, self._scratch, tenant)
        return {"files_left": files, "instances_left": sum(there), "data_keys_left": sum(keys)}


async def advance_due(database: Database) -> int:
    """Erasures that nobody moves are taken up again; how many. For a schedule, every minute."""
    async with database.system_uow() as tx:
        due = select(Erasure).where(Erasure.done_at.is_(None), Erasure.due_at <= tx.now)
        found = (await tx.scalars(due.with_for_update(skip_locked=True))).all()
        for row in found:
            row.due_at = tx.now + FIRST_PAUSE
            await enqueue(tx, ADVANCE_JOB, {"erasure": str(row.id)}, tenant=TenantId(row.erased_tenant_id))
    return len(found)


async def advance_at_once(database: Database, tenant: TenantId) -> None:
    """The tenant's erasure is taken up now, if there is one: what it waited for has happened."""
    async with database.system_uow() as tx:
        mine = select(Erasure.id).where(Erasure.erased_tenant_id == tenant, Erasure.done_at.is_(None))
        erasure = await tx.scalar(mine)
        if erasure is not None:
            await enqueue(tx, ADVANCE_JOB, {"erasure": str(erasure)}, tenant=tenant)


def _entry(row: Erasure) -> Registered:
    persons = tuple(PersonId(person) for person in row.persons)
    return Registered(ErasureId(row.id), TenantId(row.erased_tenant_id), row.requested_at, persons)
