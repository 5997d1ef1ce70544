"""Assistants ask for their model in the dialect that the catalogue has for their tenant's data residency."""

from kontor.tenants.events import Suspension
from kontor.tenants.lifecycle.resume import resume
from kontor.tenants.lifecycle.suspend import suspend
from support.fleet import Fleet
from support.speaking import serving, speaking


async def test_a_new_assistant_speaks_what_its_residency_is_served_in(fleet: Fleet) -> None:
    fleet.dialects.models = serving(eu="messages", world="responses")

    spoken = {}
    for place in ("eu", "world", "de"):
        tenant = await fleet.tenant(residency=place)
        await fleet.until_ready(tenant)
        spoken[place] = await fleet.speaks(tenant)

    assert spoken == {"eu": "messages", "world": "responses", "de": "chat"}


async def test_a_change_of_the_catalogue_changes_those_that_it_concerns_without_a_new_start(fleet: Fleet) -> None:
    european, other = await fleet.tenant(residency="eu"), await fleet.tenant(residency="world")
    for tenant in (european, other):
        await fleet.until_ready(tenant)
    before = {tenant: (await fleet.instance(tenant)).revision for tenant in (european, other)}

    fleet.dialects.models = serving(eu="messages", world="chat")
    await fleet.reconcile()

    rows = {tenant: await fleet.instance(tenant) for tenant in (european, other)}
    assert [await fleet.speaks(tenant) for tenant in (european, other)] == ["messages", "chat"]
    assert rows[european].revision == rows[european].applied_revision == before[european] + 1
    assert rows[other].revision == before[other]
    assert {known.starts for known in fleet.runtime.instances.values()} == {1}

    await fleet.reconcile()
    assert (await fleet.instance(european)).revision == before[european] + 1


async def test_a_residency_that_nobody_serves_any_more_leaves_its_assistants_as_they_are(fleet: Fleet) -> None:
    fleet.dialects.models = serving(eu="messages")
    tenant = await fleet.ready_tenant()

    fleet.dialects.models = serving(world="chat")
    await fleet.reconcile()

    assert await fleet.speaks(tenant) == "messages"


async def test_an_assistant_that_sleeps_speaks_it_when_it_wakes(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    await fleet.operator(suspend, tenant, Suspension.ACCEPTABLE_USE)
    await fleet.reconcile()

    fleet.dialects.models = serving(eu="responses")
    await fleet.reconcile()
    assert fleet.running() == set()
    await fleet.operator(resume, tenant)
    await fleet.until_ready(tenant)

    assert await fleet.speaks(tenant) == "responses"


async def test_the_pool_speaks_for_the_default_residency_and_changes_with_its_tenant(pooled: Fleet) -> None:
    pooled.dialects.models = serving(eu="responses", world="messages")
    await pooled.reconcile()
    waiting = {row.id: row.dialect for row in await pooled.pooled()}
    assert set(waiting.values()) == {"responses"}

    tenant = await pooled.tenant(residency="world")
    await pooled.until_ready(tenant)

    row = await pooled.instance(tenant)
    assert row.id in waiting
    assert await pooled.speaks(tenant) == "messages"
    assert row.applied_revision == row.revision


def test_the_pool_speaks_another_residencys_dialect_where_the_default_is_not_served() -> None:
    assert speaking(world="messages").dialect(None) == "messages"
    assert speaking(world="messages", eu="responses").dialect(None) == "responses"
    assert speaking().dialect(None) is None
