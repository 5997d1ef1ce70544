"""The life of an assistant between its row and the runtime: provisioned, suspended, asleep, crashed, gone."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from kontor.core.audit import AuditEntry
from kontor.core.crypto import KeyDestroyed, hash_secret
from kontor.core.errors import DomainError
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.events import Suspension
from kontor.tenants.lifecycle.assistant import edit_assistant
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.lifecycle.hibernate import hibernate, wake
from kontor.tenants.lifecycle.resume import resume
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.suspend import suspend
from kontor.tenants.provisioning import plan
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.sightings import Cause
from kontor.tenants.provisioning.target import target, touch
from kontor.tenants.states import Phase
from support.fleet import Fleet
from support.tenants import OWNER


async def test_an_active_tenant_gets_one_instance_with_one_key_and_its_own_files(fleet: Fleet) -> None:
    tenant = await fleet.tenant()

    await fleet.until_ready(tenant)

    instance = await fleet.instance(tenant)
    known = fleet.runtime.instances[InstanceId(instance.id)]
    keys = await fleet.keys(instance.id)
    assert fleet.running() == {instance.id}
    assert [key.tenant_id for key in keys] == [tenant]
    assert known.spec is not None
    assert hash_secret(known.spec.gateway_key) == keys[0].key_hash
    assert "Müller & Söhne GmbH" in known.files["AGENTS.md"]
    assert instance.sealed_for == tenant


async def test_a_tenant_whose_contracts_are_open_gets_no_instance(fleet: Fleet) -> None:
    await fleet.company()

    await fleet.reconcile()

    assert await fleet.instances() == []


async def test_the_portal_sees_progress_that_only_grows_until_the_assistant_is_ready(fleet: Fleet) -> None:
    tenant = await fleet.company()
    seen = [await fleet.view(tenant)]

    await fleet.accept(tenant)
    seen.append(await fleet.view(tenant))
    await fleet.reconcile()
    seen.append(await fleet.view(tenant))
    fleet.clock.advance(timedelta(seconds=5))
    seen.append(await fleet.view(tenant))
    await fleet.settle()
    seen.append(await fleet.view(tenant))

    assert [view.progress_pct for view in seen] == [0, 5, 30, 55, 100]
    assert len({view.step.de for view in seen}) == 4
    assert [view.is_serving for view in seen] == [False, False, False, False, True]


async def test_what_is_ready_already_is_left_alone(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    before = await fleet.instance(tenant)

    await fleet.reconcile()
    await fleet.reconcile()

    after = await fleet.instance(tenant)
    assert fleet.runtime.instances[InstanceId(after.id)].starts == 1
    assert (after.generation, after.observed_at) == (before.generation, before.observed_at)


async def test_a_new_prompt_reaches_the_files_of_the_running_instance(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    async with fleet.database.uow(tenant) as tx:
        await edit_assistant(tx, tenant, OWNER, expected=1, system_prompt="Du sprichst nur über Käse.")

    await fleet.reconcile()

    known = fleet.runtime.instances[InstanceId((await fleet.instance(tenant)).id)]
    assert "Du sprichst nur über Käse." in known.files["AGENTS.md"]
    assert known.starts == 1


async def test_a_suspended_tenant_has_no_process_and_keeps_its_volume(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()

    await fleet.operator(suspend, tenant, Suspension.PAYMENT_OVERDUE)
    await fleet.reconcile()

    view = await fleet.view(tenant)
    assert fleet.running() == set()
    assert len(fleet.runtime.instances) == 1
    assert (view.phase, view.observed, view.is_serving) == (Phase.SUSPENDED, Observed.STOPPED, False)


async def test_a_resumed_tenant_is_served_again_by_the_same_instance(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    before = await fleet.instance(tenant)
    await fleet.operator(suspend, tenant, Suspension.PAYMENT_OVERDUE)
    await fleet.reconcile()

    await fleet.operator(resume, tenant)
    await fleet.until_ready(tenant)

    assert (await fleet.instance(tenant)).id == before.id


async def test_a_tenant_suspended_while_it_is_provisioned_takes_that_up_when_it_is_resumed(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.reconcile()
    await fleet.operator(suspend, tenant, Suspension.ACCEPTABLE_USE)
    await fleet.reconcile()
    assert fleet.running() == set()

    await fleet.operator(resume, tenant)

    assert (await fleet.view(tenant)).phase is Phase.PROVISIONING
    await fleet.until_ready(tenant)


async def test_a_tenant_suspended_before_it_has_an_instance_gets_one_only_when_it_is_resumed(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.operator(suspend, tenant, Suspension.OPERATOR)
    await fleet.reconcile()
    assert await fleet.instances() == []

    await fleet.operator(resume, tenant)

    await fleet.until_ready(tenant)


async def test_a_hibernated_assistant_has_no_process_until_a_message_wakes_it(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()

    await fleet.operator(hibernate, tenant)
    await fleet.reconcile()

    assert fleet.running() == set()
    assert (await fleet.view(tenant)).phase is Phase.HIBERNATED
    await fleet.operator(wake, tenant)
    await fleet.until_ready(tenant)


async def test_an_assistant_that_is_woken_before_it_fell_asleep_is_not_disturbed(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    await fleet.operator(hibernate, tenant)
    await fleet.operator(wake, tenant)

    await fleet.reconcile()

    instance = await fleet.instance(tenant)
    assert (await fleet.view(tenant)).is_serving
    assert fleet.runtime.instances[InstanceId(instance.id)].starts == 1


async def test_a_crashed_assistant_is_restarted_at_once_and_the_restart_is_counted(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    instance = InstanceId((await fleet.instance(tenant)).id)

    fleet.runtime.crash(instance, "out_of_memory")
    await fleet.reconcile()

    view = await fleet.view(tenant)
    assert (view.phase, view.restarts, view.failure_code) == (Phase.READY, 1, "out_of_memory")
    assert view.failure is not None
    assert "Arbeitsspeicher" in view.failure.de
    await fleet.settle()
    assert (await fleet.view(tenant)).failure is None
    assert fleet.runtime.instances[instance].starts == 2


async def test_an_assistant_that_keeps_crashing_is_restarted_with_growing_pauses_and_never_given_up(
    fleet: Fleet,
) -> None:
    tenant = await fleet.ready_tenant()
    instance = InstanceId((await fleet.instance(tenant)).id)
    pauses = []

    for _ in range(8):
        fleet.runtime.crash(instance)
        await fleet.reconcile()
        row = await fleet.instance(tenant)
        pauses.append((row.due_at - fleet.clock.now()).total_seconds())
        fleet.clock.advance(max(row.due_at - fleet.clock.now(), timedelta(0)))
        await fleet.reconcile()
        await fleet.settle()

    assert pauses == [0, 2, 4, 8, 16, 32, 60, 60]
    view = await fleet.view(tenant)
    assert (view.phase, view.is_serving, view.restarts) == (Phase.READY, True, 8)
    fleet.clock.advance(plan.STABLE_AFTER)
    await fleet.reconcile()
    assert (await fleet.instance(tenant)).tries == 0


@pytest.mark.parametrize("code", ["port_taken", "exit_78", "install_missing", "disk_full", "something_new"])
async def test_a_provisioning_that_keeps_failing_is_given_up_with_a_sentence_and_a_retry_that_works(
    fleet: Fleet, code: str
) -> None:
    tenant = await fleet.tenant()
    fleet.runtime.refuses_start = (code, "errno 98")
    for _ in range(plan.MAX_TRIES):
        await fleet.reconcile()
        fleet.clock.advance(plan.LONGEST_PAUSE)

    view = await fleet.view(tenant)
    assert (view.phase, view.failure_code, view.can_retry) == (Phase.FAILED, code, True)
    assert view.failure is not None
    assert view.failure.de != view.failure.en
    assert (await fleet.instance(tenant)).failure_detail == "errno 98"

    fleet.runtime.refuses_start = None
    await fleet.operator(retry_provisioning, tenant)

    await fleet.until_ready(tenant)
    assert (await fleet.view(tenant)).failure is None


async def test_a_failed_try_is_repeated_before_anything_is_given_up(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    fleet.runtime.refuses_start = ("port_taken", None)
    await fleet.reconcile()
    assert (await fleet.view(tenant)).phase is Phase.PROVISIONING

    fleet.runtime.refuses_start = None
    fleet.clock.advance(timedelta(seconds=1))

    await fleet.until_ready(tenant)


async def test_a_given_up_provisioning_waits_for_people_and_leaves_no_process(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    for _ in range(plan.MAX_TRIES):
        await fleet.reconcile()
        fleet.clock.advance(plan.START_WITHIN)
        await fleet.reconcile()
        fleet.clock.advance(plan.LONGEST_PAUSE)

    fleet.clock.advance(timedelta(hours=1))
    await fleet.reconcile()

    view = await fleet.view(tenant)
    assert (view.phase, view.failure_code) == (Phase.FAILED, "start_timeout")
    assert fleet.running() == set()


async def test_an_erased_tenant_leaves_no_process_no_volume_no_row_and_no_key(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    await fleet.operator(request_erasure, tenant)
    await fleet.reconcile()

    assert fleet.runtime.instances == {}
    assert await fleet.instances() == []
    assert await fleet.keys() == []


async def test_a_tenant_erased_while_its_instance_starts_leaves_nothing_either(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    await fleet.reconcile()

    await fleet.operator(request_erasure, tenant)
    await fleet.reconcile()

    assert fleet.runtime.instances == {}
    assert await fleet.instances() == []


async def test_a_refused_use_case_changes_nothing(fleet: Fleet) -> None:
    tenant = await fleet.company()

    for act in (resume, hibernate, wake, retry_provisioning):
        with pytest.raises(DomainError):
            await fleet.operator(act, tenant)
    with pytest.raises(DomainError):
        await fleet.operator(suspend, tenant, Suspension.OPERATOR)

    async with fleet.database.uow(tenant) as tx:
        assert list(await tx.scalars(select(AuditEntry.action))) == ["tenant.created"]


async def test_a_suspended_tenant_is_neither_woken_nor_retried(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    await fleet.operator(suspend, tenant, Suspension.OPERATOR)

    for act in (hibernate, wake, retry_provisioning):
        with pytest.raises(DomainError) as refusal:
            await fleet.operator(act, tenant)
        assert refusal.value.code == "tenant.not_possible"


async def test_asking_twice_changes_nothing_and_is_audited_once(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()

    await fleet.operator(suspend, tenant, Suspension.OPERATOR)
    await fleet.operator(suspend, tenant, Suspension.PAYMENT_OVERDUE)

    async with fleet.database.uow(tenant) as tx:
        acts = list(await tx.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))
    assert acts.count("tenant.suspended") == 1


async def test_the_chat_edge_learns_where_to_send_messages_and_that_it_may(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    instance = await fleet.instance(tenant)

    async with fleet.database.uow(tenant) as tx:
        found = await target(tx, tenant)
        await touch(tx, tenant)

    spec = fleet.runtime.instances[InstanceId(instance.id)].spec
    assert spec is not None
    assert (found.is_serving, found.token, found.endpoint) == (True, spec.token, instance.endpoint)
    assert found.token not in repr(found)
    assert (await fleet.instance(tenant)).last_used_at == fleet.clock.now()


async def test_the_chat_edge_learns_when_nothing_serves(fleet: Fleet) -> None:
    tenant = await fleet.tenant()

    async def serving(of: TenantId) -> bool:
        async with fleet.database.uow(of) as tx:
            return (await target(tx, of)).is_serving

    assert not await serving(tenant)
    await fleet.until_ready(tenant)
    assert await serving(tenant)
    await fleet.operator(suspend, tenant, Suspension.OPERATOR)
    assert not await serving(tenant)


async def test_another_tenants_token_is_out_of_reach(fleet: Fleet) -> None:
    mine, other = await fleet.ready_tenant(), await fleet.ready_tenant()

    async with fleet.database.uow(mine) as tx:
        with pytest.raises(DomainError) as refusal:
            await target(tx, other)

    assert refusal.value.code == "not_found"


async def test_sealed_secrets_open_no_more_when_the_tenants_key_is_destroyed(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()

    await fleet.database.vault.destroy_key(tenant)

    async with fleet.database.uow(tenant) as tx:
        with pytest.raises(KeyDestroyed):
            await target(tx, tenant)


async def test_an_assistant_that_runs_but_does_not_answer_is_down_and_ended_when_it_stays_so(fleet: Fleet) -> None:
    tenant = await fleet.ready_tenant()
    known = fleet.runtime.instances[InstanceId((await fleet.instance(tenant)).id)]

    known.is_ready = False
    await fleet.reconcile()
    await fleet.reconcile()
    assert fleet.sightings[-1].cause is Cause.DOWN
    assert (await fleet.view(tenant)).failure_code == "not_answering"

    known.is_ready = True
    await fleet.reconcile()
    assert ((await fleet.view(tenant)).is_serving, known.starts) == (True, 1)

    known.is_ready = False
    await fleet.reconcile()
    fleet.clock.advance(plan.START_WITHIN)
    await fleet.reconcile()
    fleet.clock.advance(timedelta(seconds=1))
    await fleet.reconcile()
    assert known.starts == 2
    await fleet.settle()
    assert (await fleet.view(tenant)).is_serving


async def test_every_pass_tells_who_serves_and_why_others_do_not(fleet: Fleet) -> None:
    tenant = await fleet.tenant()
    told: list[Cause | None] = []

    async def tell() -> None:
        await fleet.reconcile()
        told.append(fleet.sightings[-1].cause)

    await tell()
    await fleet.settle()
    await tell()
    await fleet.operator(hibernate, tenant)
    await tell()
    await fleet.operator(wake, tenant)
    await tell()
    await fleet.settle()
    fleet.runtime.crash(InstanceId((await fleet.instance(tenant)).id))
    await tell()
    await fleet.settle()
    await fleet.operator(suspend, tenant, Suspension.OPERATOR)
    await tell()

    assert told == [Cause.PROVISIONING, None, Cause.HIBERNATED, Cause.WAKING, Cause.DOWN, Cause.SUSPENDED]
