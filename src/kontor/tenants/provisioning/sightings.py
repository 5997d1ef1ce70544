"""What a look at the runtime says about each tenant's assistant: whether it serves, and if not, why.

Told once per pass to whoever keeps intervals of availability. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.provisioning.plan import Facts
from kontor.tenants.provisioning.runtime import Observation, Observed
from kontor.tenants.states import Phase


class Cause(StrEnum):
    """Why an assistant does not serve. Which of them is an outage, availability decides."""

    PROVISIONING = "provisioning"
    PROVISIONING_FAILED = "provisioning_failed"
    HIBERNATED = "hibernated"
    WAKING = "waking"
    SUSPENDED = "suspended"
    ENDING = "ending"
    DOWN = "down"


_NOT_WANTED: Final = {
    Phase.PROVISIONING: Cause.PROVISIONING,
    Phase.FAILED: Cause.PROVISIONING_FAILED,
    Phase.HIBERNATED: Cause.HIBERNATED,
    Phase.SUSPENDED: Cause.SUSPENDED,
    Phase.ENDING: Cause.ENDING,
}


@dataclass(frozen=True, slots=True)
class Sighting:
    """At `at` the tenant's instance served, or did not because of `cause`; `detail` is the failure's code if any."""

    instance: InstanceId
    tenant: TenantId
    at: datetime
    is_serving: bool
    cause: Cause | None
    detail: str | None = None


def sightings(all_facts: Iterable[Facts], seen: Mapping[InstanceId, Observation], at: datetime) -> list[Sighting]:
    """One per assigned instance, as of `at`, when the runtime was asked. Instances of the pool serve nobody."""
    result = []
    for facts in all_facts:
        if facts.tenant is None:
            continue
        observation = seen.get(facts.id)
        state = observation.state if observation else Observed.ABSENT
        if facts.observed_at is not None and facts.observed_at > at:
            state = facts.observed  # written down after the runtime was asked, so newer
        cause = cause_of(facts, state)
        detail = observation.code if observation and cause is Cause.DOWN else None
        result.append(Sighting(facts.id, facts.tenant, at, cause is None, cause, detail))
    return result


def cause_of(facts: Facts, state: Observed) -> Cause | None:
    """Why it does not serve; None when it does."""
    if facts.phase is not Phase.READY:
        return _NOT_WANTED[facts.phase]
    if not facts.is_announced:
        return Cause.PROVISIONING
    if state is Observed.READY:
        return None
    # Stopped on purpose and started again, nothing has failed: a wake-up or the end of a suspension, not a crash.
    is_waking = facts.failure_code is None and facts.observed in (Observed.STOPPED, Observed.STARTING)
    return Cause.WAKING if is_waking else Cause.DOWN
