"""A worker that is killed at any await leaves nothing that the next one does not complete."""

from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from kontor.core.crypto import hash_secret
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.lifecycle.hibernate import hibernate, wake
from kontor.tenants.provisioning import leases
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


async def killed(
    fleet: Fleet, story: Story, holds: Callable[[Fleet, TenantId], Awaitable[None]], *, every: int = 1
) -> None:
    """The story again and again, each time ended one await (or `every`) later and then completed by another worker.

    What `holds` afterwards is asked each time. Ends with the first time that it is through before it is killed.
    """
    for suspensions in count(step=every):
        tenant = await story(fleet)
        life = Life(suspensions)
        await life.of(work(fleet))
        if life.is_over:
            fleet.clock.advance(leases.LEASE)
            await work(fleet)
        await holds(fleet, tenant)
        await fleet.forget()
        if not life.is_over:
            break
    assert suspensions > AWAITS


async def one_of_each(fleet: Fleet, tenant: TenantId) -> None:
    """One instance, which serves, with one key, in one process."""
    instance = await fleet.instance(tenant)
    known = fleet.runtime.instances[InstanceId(instance.id)]
    keys = await fleet.keys(instance.id)
    assert (await fleet.view(tenant)).is_serving
    assert [key.tenant_id for key in keys] == [tenant]
    assert known.spec is not None
    assert hash_secret(known.spec.gateway_key) == keys[0].key_hash
    assert (instance.tries, instance.restarts) == (0, 0)


async def started_once(fleet: Fleet, tenant: TenantId) -> None:
    await one_of_each(fleet, tenant)
    assert [known.starts for known in fleet.runtime.instances.values()] == [1]
    assert fleet.running() == {instance.id for instance in await fleet.instances()}


async def started_twice(fleet: Fleet, tenant: TenantId) -> None:
    await one_of_each(fleet, tenant)
    assert [known.starts for known in fleet.runtime.instances.values()] == [2]
    assert fleet.running() == {instance.id for instance in await fleet.instances()}


async def one_for_the_tenant_and_one_in_the_pool(fleet: Fleet, tenant: TenantId) -> None:
    instances = await fleet.instances()
    assert len(instances) == 2
    assert fleet.running() == {instance.id for instance in instances}
    assert [len(await fleet.keys(instance.id)) for instance in instances] == [1, 1]
    assert (await fleet.view(tenant)).is_serving
    pooled = {instance.id for instance in await fleet.pooled()}
    assert len(pooled) == 1
    assert {instance.id for instance in instances if instance.has_own_key} == pooled
    owners = set(await fleet.database.vault.owners())
    assert owners & {instance.id for instance in instances} == pooled


async def nothing(fleet: Fleet, _: TenantId) -> None:
    assert await fleet.instances() == []
    assert fleet.runtime.instances == {}
    assert await fleet.keys() == []


async def provisioned_from_the_pool(fleet: Fleet) -> TenantId:
    fleet.pool_size = 1
    await work(fleet)
    return await fleet.tenant()


@pytest.mark.parametrize(
    ("story", "holds", "every"),
    [
        (provisioned, started_once, 1),
        (provisioned_from_the_pool, one_for_the_tenant_and_one_in_the_pool, 5),
        (woken, started_twice, 5),
        (erased, nothing, 5),
    ],
)
async def test_after_a_kill_at_any_await_there_is_one_of_everything_or_nothing(
    fleet: Fleet, story: Story, holds: Callable[[Fleet, TenantId], Awaitable[None]], every: int
) -> None:
    await killed(fleet, story, holds, every=every)
