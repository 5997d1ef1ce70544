"""A worker that is killed at any await leaves nothing that the next one does not complete."""

from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from kontor.core.crypto import hash_secret
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.lifecycle.hibernate import hibernate, wake
from kontor.tenants.provisioning import leases
from kontor.tenants.provisioning.model import Instance
from support.fleet import Fleet
from support.mortal import Life

AWAITS = 20
Story = Callable[[Fleet], Awaitable[TenantId]]


async def provisioned(fleet: Fleet) -> TenantId:
    return await fleet.tenant()


async def woken(fleet: Fleet) -> TenantId:
    tenant = await fleet.ready_tenant()
    await fleet.operator(hibernate, tenant)
    await fleet.reconcile()
    await fleet.operator(wake, tenant)
    return tenant


async def erased(fleet: Fleet) -> TenantId:
    tenant = await fleet.ready_tenant()
    await fleet.operator(request_erasure, tenant)
    return tenant


async def work(fleet: Fleet) -> None:
    """One worker's part of a story, from the first look to the last."""
    worker = fleet.another()
    await worker.run_once()
    fleet.finish_starting()
    await worker.run_once()


async def killed(fleet: Fleet, story: Story, *, every: int = 1) -> list[TenantId]:
    """The story again and again, each time ended one await (or `every`) later and then completed by another worker.

    Ends with the first time that it is through before it is killed.
    """
    tenants: list[TenantId] = []
    for suspensions in count(step=every):
        tenants.append(await story(fleet))
        life = Life(suspensions)
        await life.of(work(fleet))
        if not life.is_over:
            break
        fleet.clock.advance(leases.LEASE)
        await work(fleet)
    assert len(tenants) * every > AWAITS
    return tenants


@pytest.mark.parametrize(("story", "every"), [(provisioned, 1), (woken, 5)])
async def test_after_a_kill_at_any_await_there_is_one_instance_one_key_and_one_process(
    fleet: Fleet, story: Story, every: int
) -> None:
    tenants = await killed(fleet, story, every=every)

    instances: list[Instance] = await fleet.instances()
    assert len(instances) == len(tenants)
    assert fleet.running() == {instance.id for instance in instances}
    for tenant in tenants:
        instance = await fleet.instance(tenant)
        known = fleet.runtime.instances[InstanceId(instance.id)]
        keys = await fleet.keys(instance.id)
        assert (await fleet.view(tenant)).is_serving
        assert [key.tenant_id for key in keys] == [tenant]
        assert known.spec is not None
        assert hash_secret(known.spec.gateway_key) == keys[0].key_hash
        assert (instance.tries, instance.restarts) == (0, 0)
    assert all(known.starts == (1 if story is provisioned else 2) for known in fleet.runtime.instances.values())


async def test_after_a_kill_at_any_await_of_an_assignment_the_pool_and_the_tenant_have_one_instance_each(
    fleet: Fleet,
) -> None:
    fleet.pool_size = 1
    await work(fleet)

    tenants = await killed(fleet, provisioned, every=5)

    instances = await fleet.instances()
    assert len(instances) == len(tenants) + 1
    assert fleet.running() == {instance.id for instance in instances}
    assert [len(await fleet.keys(instance.id)) for instance in instances] == [1] * len(instances)
    for tenant in tenants:
        assert (await fleet.view(tenant)).is_serving
    pooled = {instance.id for instance in await fleet.pooled()}
    assert len(pooled) == 1
    assert {instance.id for instance in instances if instance.has_own_key} == pooled
    owners = set(await fleet.database.vault.owners())
    assert owners & {instance.id for instance in instances} == pooled


async def test_after_a_kill_at_any_await_of_an_erasure_nothing_is_left(fleet: Fleet) -> None:
    await killed(fleet, erased, every=5)

    assert await fleet.instances() == []
    assert fleet.runtime.instances == {}
    assert await fleet.keys() == []
