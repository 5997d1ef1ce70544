"""Several workers, dead workers, slow workers, and the loop that they run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from kontor.core.clock import FixedClock, SystemClock
from kontor.core.crypto import Vault
from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.core.postgres import DatabaseUrls
from kontor.tenants.events import Suspension
from kontor.tenants.lifecycle.suspend import suspend
from kontor.tenants.provisioning import leases, orphans
from kontor.tenants.provisioning.fake import FakeInstance
from kontor.tenants.provisioning.model import Instance
from kontor.tenants.provisioning.reconcile import Reconciler
from kontor.tenants.states import Phase
from support.eventually import eventually
from support.fleet import Fleet


async def test_workers_that_run_at_once_make_one_instance_per_tenant(fleet: Fleet) -> None:
    tenants = [await fleet.tenant() for _ in range(4)]
    fleet.starts = 4
    workers = [fleet.another() for _ in range(3)]

    await asyncio.gather(*(worker.run_once() for worker in workers))
    fleet.finish_starting()
    await asyncio.gather(*(worker.run_once() for worker in workers))

    assert len(await fleet.instances()) == 4
    assert len(await fleet.keys()) == 4
    assert all(known.starts == 1 for known in fleet.runtime.instances.values())
    for tenant in tenants:
        assert (await fleet.view(tenant)).is_serving


async def test_what_another_worker_holds_is_left_to_it_until_its_lease_expires(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.reconcile()
    instance = InstanceId((await fleet.instance(tenant)).id)
    async with fleet.database.system_uow() as tx:
        dead_worker = new_id()
        assert await leases.take(tx, dead_worker, [instance]) == {instance}

    await fleet.settle()
    assert not (await fleet.view(tenant)).is_serving

    fleet.clock.advance(leases.LEASE)
    await fleet.reconcile()
    assert (await fleet.view(tenant)).is_serving


async def test_a_renewed_lease_does_not_expire(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.reconcile()
    instance = InstanceId((await fleet.instance(tenant)).id)
    mine, other = new_id(), new_id()
    async with fleet.database.system_uow() as tx:
        await leases.take(tx, mine, [instance])
    fleet.clock.advance(leases.LEASE / 2)
    async with fleet.database.system_uow() as tx:
        await leases.renew(tx, mine)
    fleet.clock.advance(leases.LEASE / 2)

    async with fleet.database.system_uow() as tx:
        assert await leases.take(tx, other, [instance]) == set()


async def test_a_worker_that_lost_its_lease_during_a_call_writes_nothing_back(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.reconcile()
    thief = new_id()

    async def steal(moment: str) -> None:
        if moment == "write_files:before":
            async with fleet.database.system_uow() as tx:
                await tx.execute(update(Instance).values(lease_by=thief))

    fleet.runtime.hook = steal
    await fleet.settle()

    instance = await fleet.instance(tenant)
    assert (instance.lease_by, instance.applied_revision, instance.phase) == (thief, 0, Phase.PROVISIONING)


async def test_a_tenant_that_is_suspended_while_its_instance_is_being_started_ends_up_stopped(fleet: Fleet) -> None:
    tenant = await fleet.tenant()

    async def meanwhile(moment: str) -> None:
        if moment == "ensure:before":
            await fleet.operator(suspend, tenant, Suspension.ACCEPTABLE_USE)

    fleet.runtime.hook = meanwhile
    await fleet.reconcile()

    assert fleet.running() == set()
    assert (await fleet.view(tenant)).phase is Phase.SUSPENDED


async def test_what_no_row_tells_of_is_removed_after_a_grace(fleet: Fleet) -> None:
    await fleet.ready_tenant()
    orphan = InstanceId(new_id())
    fleet.runtime.instances[orphan] = FakeInstance(None, {}, 0)

    await fleet.reconcile()
    assert orphan in fleet.runtime.instances

    fleet.clock.advance(orphans.GRACE)
    await fleet.reconcile()
    assert orphan not in fleet.runtime.instances
    assert len(fleet.running()) == 1


async def test_a_database_that_knows_none_of_many_instances_has_none_of_them_removed(fleet: Fleet) -> None:
    strangers = {InstanceId(new_id()) for _ in range(5)}
    fleet.runtime.instances |= {stranger: FakeInstance(None, {}, 0) for stranger in strangers}

    await fleet.reconcile()
    fleet.clock.advance(orphans.GRACE)
    await fleet.reconcile()

    assert set(fleet.runtime.instances) == strangers


async def test_a_fault_of_ours_holds_up_one_instance_and_no_other(fleet: Fleet) -> None:
    tenants = [await fleet.tenant(), await fleet.tenant()]
    fleet.gateway.faults = 1

    await fleet.reconcile()
    await fleet.settle()

    views = sorted([await fleet.view(tenant) for tenant in tenants], key=lambda view: view.is_serving)
    assert [(view.is_serving, view.failure_code) for view in views] == [(False, "internal"), (True, None)]
    fleet.clock.advance(timedelta(seconds=1))
    for tenant in tenants:
        await fleet.until_ready(tenant)


async def test_the_loop_wakes_at_a_nudge_and_serves_without_being_asked(real: Fleet) -> None:
    async with running(real.another(tick=timedelta(hours=1))):
        await asyncio.wait_for(real.looked.wait(), timeout=10)
        tenant = await real.tenant()

        async def is_serving() -> bool:
            real.finish_starting()
            return (await real.view(tenant)).is_serving

        await eventually(is_serving, what="the assistant serves")


async def test_the_loop_goes_on_after_its_connections_were_cut(real: Fleet) -> None:
    async with running(real.another()):
        await real.tenant()
        await _cut_all_connections(real.database)

        tenant = await eventually(lambda: _tenant_in_spite_of_cuts(real), what="a tenant signs up")

        async def is_serving() -> bool:
            real.finish_starting()
            return (await real.view(tenant)).is_serving

        await eventually(is_serving, what="the assistant serves")


async def test_a_loop_that_is_stopped_leaves_its_leases_free(real: Fleet) -> None:
    held = asyncio.Event()

    async def hang(moment: str) -> None:
        if moment == "ensure:before":
            held.set()
            await asyncio.Event().wait()

    real.runtime.hook = hang
    async with running(real.another()):
        tenant = await real.tenant()
        await asyncio.wait_for(held.wait(), timeout=10)

    assert (await real.instance(tenant)).lease_by is None


async def _cut_all_connections(database: Database) -> None:
    async with database.system_uow() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
        )


async def _tenant_in_spite_of_cuts(fleet: Fleet) -> TenantId | None:
    try:
        return await fleet.tenant()
    except Unavailable:
        return None


@asynccontextmanager
async def running(worker: Reconciler) -> AsyncIterator[None]:
    """The worker's loop runs until the end of the block."""
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(task, timeout=10)


@pytest.fixture
async def real(database_urls: DatabaseUrls, vault: Vault) -> AsyncIterator[Fleet]:
    """A fleet that lives by the machine's clock."""
    database = Database(database_urls, SystemClock(), vault, pool_size=5)
    made = Fleet(database, FixedClock(database.clock.now()))
    yield made
    await made.runtime.close()
    await database.close()
