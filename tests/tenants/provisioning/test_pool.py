"""The warm pool, and who gets an instance of it."""

import asyncio
from datetime import timedelta

from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.provisioning import plan
from kontor.tenants.provisioning.secrets import open_secrets
from kontor.tenants.states import Phase
from support.fleet import Fleet


async def test_the_pool_is_filled_with_instances_that_run_and_belong_to_nobody(pooled: Fleet) -> None:
    rows = await pooled.pooled()

    assert [(row.phase, row.observed, row.has_own_key) for row in rows] == [("ready", "ready", True)]
    assert [key.tenant_id for key in await pooled.keys()] == [None]
    assert pooled.sightings == []


async def test_a_tenant_gets_the_waiting_instance_and_is_served_without_any_start(pooled: Fleet) -> None:
    waiting = (await pooled.pooled())[0]
    tenant = await pooled.tenant()

    await pooled.reconcile()

    instance = await pooled.instance(tenant)
    known = pooled.runtime.instances[InstanceId(instance.id)]
    assert instance.id == waiting.id
    assert (await pooled.view(tenant)).is_serving
    assert known.starts == 1
    assert "Müller & Söhne GmbH" in known.files["IDENTITY.md"]


async def test_assignment_wraps_the_secrets_under_the_tenants_key_and_destroys_the_instances_own(
    pooled: Fleet,
) -> None:
    waiting = (await pooled.pooled())[0]
    before = await open_secrets(pooled.database.vault, waiting)
    tenant = await pooled.tenant()

    await pooled.reconcile()

    instance = await pooled.instance(tenant)
    assert before is not None
    assert await open_secrets(pooled.database.vault, instance) == before
    assert (instance.sealed_for, instance.has_own_key) == (tenant, False)
    assert not await pooled.database.vault.has_key(instance.id)
    assert [key.tenant_id for key in await pooled.keys(instance.id)] == [tenant]


async def test_the_pool_is_filled_again_after_an_assignment(pooled: Fleet) -> None:
    await pooled.tenant()
    await pooled.reconcile()
    await pooled.settle()

    assert [row.phase for row in await pooled.pooled()] == ["ready"]
    assert len(await pooled.instances()) == 2


async def test_two_sign_ups_at_once_get_two_instances_one_of_them_from_the_pool(pooled: Fleet) -> None:
    waiting = (await pooled.pooled())[0]
    tenants = [await pooled.tenant(), await pooled.tenant()]
    workers = [pooled.another(), pooled.another(), pooled.another()]

    await asyncio.gather(*(worker.run_once() for worker in workers))
    await pooled.settle()

    assigned = {(await pooled.instance(tenant)).id for tenant in tenants}
    assert len(assigned) == 2
    assert waiting.id in assigned
    assert len(await pooled.pooled()) == 1
    assert len(pooled.running()) == 3


async def test_an_instance_that_is_on_its_way_is_taken_before_a_new_one_is_made(fleet: Fleet) -> None:
    fleet.pool_size = 1
    fleet.reconciler = fleet.another()
    await fleet.reconcile()
    starting = (await fleet.pooled())[0]
    tenant = await fleet.tenant()

    await fleet.reconcile()

    assert (await fleet.instance(tenant)).id == starting.id
    await fleet.until_ready(tenant)


async def test_one_that_fails_is_not_given_to_anybody(fleet: Fleet) -> None:
    fleet.pool_size = 1
    fleet.reconciler = fleet.another()
    fleet.runtime.refuses_start = ("port_taken", None)
    await fleet.reconcile()
    broken = (await fleet.pooled())[0]
    fleet.runtime.refuses_start = None
    tenant = await fleet.tenant()

    await fleet.until_ready(tenant)

    assert (await fleet.instance(tenant)).id != broken.id


async def test_a_pool_that_cannot_start_tries_again_later_and_does_not_grow(fleet: Fleet) -> None:
    fleet.pool_size = 1
    fleet.reconciler = fleet.another()
    fleet.runtime.refuses_start = ("install_missing", None)
    for _ in range(plan.MAX_TRIES):
        await fleet.reconcile()
        fleet.clock.advance(plan.LONGEST_PAUSE)
    assert [row.phase for row in await fleet.instances()] == [Phase.FAILED]

    fleet.runtime.refuses_start = None
    fleet.clock.advance(plan.POOL_PAUSE)
    await fleet.reconcile()
    await fleet.settle()

    assert [row.phase for row in await fleet.instances()] == [Phase.READY]


async def test_a_new_release_renews_the_pool_and_leaves_tenants_alone(pooled: Fleet) -> None:
    tenant = await pooled.tenant()
    await pooled.reconcile()
    await pooled.settle()
    old = (await pooled.pooled())[0]

    pooled.release = "2026.9.5"
    pooled.reconciler = pooled.another()
    await pooled.reconcile()
    await pooled.settle()

    waiting = await pooled.pooled()
    assert [row.release for row in waiting] == ["2026.9.5"]
    assert waiting[0].id != old.id
    assert InstanceId(old.id) not in pooled.runtime.instances
    assert not await pooled.database.vault.has_key(old.id)
    assert (await pooled.view(tenant)).is_serving


async def test_a_smaller_pool_ends_what_is_too_much(pooled: Fleet) -> None:
    pooled.pool_size = 0
    pooled.reconciler = pooled.another()

    await pooled.reconcile()

    assert await pooled.instances() == []
    assert pooled.runtime.instances == {}


async def test_no_more_start_at_the_same_time_than_the_limit_and_tenants_come_before_the_pool(fleet: Fleet) -> None:
    fleet.pool_size = 2
    fleet.reconciler = fleet.another()
    tenants: list[TenantId] = [await fleet.tenant() for _ in range(3)]

    await fleet.reconcile()

    assigned = {(await fleet.instance(tenant)).id for tenant in tenants}
    assert len(fleet.running()) == 2
    assert fleet.running() < assigned
    for _ in range(4):
        fleet.clock.advance(timedelta(seconds=1))
        await fleet.settle()
        assert len([known for known in fleet.runtime.instances.values() if known.runs and not known.is_ready]) <= 2
    assert len(fleet.running()) == 5
