"""What may follow what in the life of a tenant and of its assistant. Pure: no clock, no database.

Owns the tables of transitions and their drawing. Who may ask for one: lifecycle. What the runtime does about it:
provisioning. `Phase` is what should be; what is, the runtime shows (`Observed`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from kontor.tenants.errors import NotPossible
from kontor.tenants.model import TenantState


class Phase(StrEnum):
    """What should be with an instance."""

    PROVISIONING = "provisioning"
    READY = "ready"
    HIBERNATED = "hibernated"
    SUSPENDED = "suspended"
    FAILED = "failed"
    ENDING = "ending"


# A tenant can be suspended at any time of its contract (product page, "Contracts": immediately), so also while its
# assistant is still being provisioned or could not be; resuming then takes up the provisioning again.
FOLLOWS: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.PROVISIONING: frozenset({Phase.READY, Phase.FAILED, Phase.SUSPENDED, Phase.ENDING}),
    Phase.READY: frozenset({Phase.HIBERNATED, Phase.SUSPENDED, Phase.ENDING}),
    Phase.HIBERNATED: frozenset({Phase.READY, Phase.SUSPENDED, Phase.ENDING}),
    Phase.SUSPENDED: frozenset({Phase.READY, Phase.PROVISIONING, Phase.ENDING}),
    Phase.FAILED: frozenset({Phase.PROVISIONING, Phase.SUSPENDED, Phase.ENDING}),
    Phase.ENDING: frozenset(),
}

TENANT_FOLLOWS: Final[Mapping[TenantState, frozenset[TenantState]]] = {
    TenantState.ONBOARDING: frozenset({TenantState.ACTIVE, TenantState.ERASING}),
    TenantState.ACTIVE: frozenset({TenantState.SUSPENDED, TenantState.ERASING}),
    TenantState.SUSPENDED: frozenset({TenantState.ACTIVE, TenantState.ERASING}),
    TenantState.ERASING: frozenset(),
}

S = TypeVar("S", bound=StrEnum)


def step(now: Phase, wanted: Phase) -> Phase:
    """Asking for what already is changes nothing. Raises NotPossible for anything not in FOLLOWS."""
    if wanted != now and wanted not in FOLLOWS[now]:
        raise NotPossible(now, wanted)
    return wanted


def tenant_step(now: TenantState, wanted: TenantState) -> TenantState:
    """Asking for what already is changes nothing. Raises NotPossible for anything not in TENANT_FOLLOWS."""
    if wanted != now and wanted not in TENANT_FOLLOWS[now]:
        raise NotPossible(now, wanted)
    return wanted


def drawing(follows: Mapping[S, frozenset[S]]) -> str:
    """The table as a Mermaid state diagram: begins with its first state, ends where nothing follows."""
    states = list(follows)
    lines = ["stateDiagram-v2", f"    [*] --> {states[0]}"]
    lines += [f"    {state} --> {after}" for state in states for after in states if after in follows[state]]
    lines += [f"    {state} --> [*]" for state in states if not follows[state]]
    return "\n".join(lines)
