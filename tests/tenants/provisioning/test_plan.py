"""The next step, as a table: what should be, what is written down, what is seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.tenants.provisioning import plan
from kontor.tenants.provisioning.plan import (
    Delete,
    DropOwnKey,
    Facts,
    Fail,
    Forget,
    Mint,
    Note,
    Retry,
    Start,
    Step,
    Stop,
    Wait,
    WriteFiles,
    next_step,
    pause_after,
)
from kontor.tenants.provisioning.runtime import Observation, Observed
from kontor.tenants.states import Phase

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
URL = "http://127.0.0.1:19000"
SERVING = Facts(
    id=InstanceId(new_id()),
    tenant=TenantId(new_id()),
    phase=Phase.READY,
    observed=Observed.READY,
    observed_at=NOW - timedelta(hours=1),
    endpoint=URL,
    is_minted=True,
    has_own_key=False,
    is_announced=True,
    failure_code=None,
    generation=3,
    revision=2,
    applied_revision=2,
    tries=0,
    due_at=NOW,
)
READY = Observation(Observed.READY, endpoint=URL)


def seen(state: str) -> Observation:
    return Observation(Observed(state), code="exit_1" if state == "failed" else None, endpoint=URL)


def facts(phase: str, observed: str, **changes: object) -> Facts:
    return replace(SERVING, phase=Phase(phase), observed=Observed(observed), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "written", "shown", "step"),
    [
        ("provisioning", "absent", "absent", Start()),
        ("provisioning", "starting", "absent", Start()),
        ("provisioning", "starting", "failed", Fail("exit_1", None)),
        ("provisioning", "failed", "failed", Start()),
        ("provisioning", "starting", "ready", Note()),
        ("provisioning", "ready", "ready", Note()),
        ("ready", "ready", "ready", Wait()),
        ("ready", "ready", "failed", Fail("exit_1", None)),
        ("ready", "ready", "absent", Fail("crashed", None)),
        ("ready", "ready", "stopped", Start()),
        ("ready", "ready", "starting", Note()),
        ("ready", "failed", "failed", Start()),
        ("ready", "stopped", "stopped", Start()),
        ("ready", "starting", "starting", Wait(NOW + plan.POLL)),
        ("ready", "failed", "ready", Note()),
        ("hibernated", "ready", "ready", Stop()),
        ("hibernated", "starting", "starting", Stop()),
        ("hibernated", "ready", "failed", Stop()),
        ("hibernated", "stopped", "failed", Wait()),
        ("hibernated", "ready", "stopped", Note()),
        ("hibernated", "stopped", "stopped", Wait()),
        ("suspended", "ready", "ready", Stop()),
        ("suspended", "absent", "absent", Wait()),
        ("failed", "failed", "starting", Stop()),
        ("failed", "stopped", "stopped", Wait()),
        ("ending", "ready", "ready", Delete()),
        ("ending", "starting", "absent", Delete()),
        ("ending", "absent", "stopped", Delete()),
        ("ending", "absent", "absent", Forget()),
    ],
)
def test_each_state_has_its_step(phase: str, written: str, shown: str, step: Step) -> None:
    # A start that was written down a moment ago.
    since = NOW if written == "starting" else SERVING.observed_at

    assert next_step(facts(phase, written, observed_at=since), seen(shown), NOW) == step


@pytest.mark.parametrize(
    ("now_is", "shown"),
    [
        (facts("provisioning", "absent"), "absent"),
        (facts("provisioning", "absent", is_minted=False), "absent"),
        (facts("ready", "failed"), "failed"),
        (facts("ready", "ready", revision=3), "ready"),
        (facts("hibernated", "ready"), "ready"),
        (facts("ending", "ready"), "ready"),
        (facts("ending", "absent"), "absent"),
    ],
)
def test_what_calls_the_runtime_waits_until_it_is_due(now_is: Facts, shown: str) -> None:
    assert not isinstance(next_step(now_is, seen(shown), NOW), Wait)

    assert next_step(replace(now_is, due_at=LATER), seen(shown), NOW) == Wait(LATER)


def test_a_crash_is_written_down_even_while_the_next_try_waits() -> None:
    assert isinstance(next_step(replace(SERVING, due_at=LATER), seen("failed"), NOW), Fail)


def test_secrets_come_before_the_start() -> None:
    assert next_step(facts("provisioning", "absent", is_minted=False), seen("absent"), NOW) == Mint()


def test_files_that_are_behind_are_written_before_anybody_is_told_that_it_is_ready() -> None:
    behind = facts("provisioning", "ready", revision=4, applied_revision=2, is_announced=False)

    assert next_step(behind, READY, NOW) == WriteFiles(4)
    assert next_step(replace(behind, applied_revision=4), READY, NOW) == Note()


def test_an_instance_of_the_pool_that_was_assigned_is_announced_and_then_loses_its_own_key() -> None:
    assigned = replace(SERVING, is_announced=False, has_own_key=True)

    assert next_step(assigned, READY, NOW) == Note()
    assert next_step(replace(assigned, is_announced=True), READY, NOW) == DropOwnKey()
    assert next_step(replace(assigned, is_announced=True, has_own_key=False), READY, NOW) == Wait()


def test_an_instance_of_the_pool_keeps_its_own_key() -> None:
    pooled = replace(SERVING, tenant=None, is_announced=False, has_own_key=True)

    assert next_step(pooled, READY, NOW) == Wait()


def test_a_new_endpoint_is_written_down() -> None:
    assert next_step(SERVING, replace(READY, endpoint="http://127.0.0.1:1"), NOW) == Note()


def test_a_start_that_hangs_is_ended_as_a_failed_try() -> None:
    hanging = facts("provisioning", "starting", observed_at=NOW - plan.START_WITHIN)

    assert next_step(hanging, seen("starting"), NOW) == Fail("start_timeout", None, stops=True)
    assert next_step(hanging, seen("ready"), NOW) == Note()


def test_tries_are_forgiven_once_it_has_served_for_a_while() -> None:
    recovered = replace(SERVING, tries=2, observed_at=NOW)

    assert next_step(recovered, READY, NOW) == Wait(NOW + plan.STABLE_AFTER)
    assert next_step(recovered, READY, NOW + plan.STABLE_AFTER) == Note()


def test_only_the_pool_retries_by_itself_what_was_given_up() -> None:
    given_up = facts("failed", "stopped")

    assert next_step(given_up, seen("stopped"), NOW) == Wait()
    assert next_step(replace(given_up, tenant=None), seen("stopped"), NOW) == Retry()
    assert next_step(replace(given_up, tenant=None, due_at=LATER), seen("stopped"), NOW) == Wait(LATER)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("written", list(Observed))
@pytest.mark.parametrize("shown", list(Observed))
def test_every_combination_has_a_step(phase: Phase, written: Observed, shown: Observed) -> None:
    next_step(replace(SERVING, phase=phase, observed=written), Observation(shown), NOW)


def test_pauses_double_up_to_a_minute_and_a_first_crash_is_repaired_at_once() -> None:
    assert [pause_after(tries).total_seconds() for tries in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_after(1, was_serving=True).total_seconds() == 0
    assert pause_after(2, was_serving=True).total_seconds() == 2
