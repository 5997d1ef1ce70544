"""What can be done with a message, from where tenant and instance stand. Pure."""

from enum import Enum, auto
from typing import assert_never

from kontor.tenants.model import TenantState
from kontor.tenants.provisioning.target import Target
from kontor.tenants.states import Phase
from kontor.tenants.talk.errors import BeingErased, NotActivated, SetupFailed, StillPreparing


class Standing(Enum):
    """How the assistant takes a message now."""

    AWAKE = auto()
    STARTING = auto()
    """It will answer by itself: it was woken, or is being restarted."""
    ASLEEP = auto()
    SUSPENDED = auto()
    """The notice answers for it."""


def check_open(state: TenantState) -> None:
    """People may write to this tenant at all. Raises NotActivated, BeingErased."""
    if state is TenantState.ONBOARDING:
        raise NotActivated
    if state is TenantState.ERASING:
        raise BeingErased


def standing(target: Target) -> Standing:
    """Where the assistant stands. Raises NotActivated, BeingErased, StillPreparing, SetupFailed."""
    check_open(target.state)
    if target.state is TenantState.SUSPENDED:
        return Standing.SUSPENDED
    match target.phase:
        case None | Phase.PROVISIONING:
            raise StillPreparing
        case Phase.FAILED:
            raise SetupFailed
        case Phase.ENDING:
            raise BeingErased
        case Phase.SUSPENDED:
            return Standing.SUSPENDED
        case Phase.HIBERNATED:
            return Standing.ASLEEP
        case Phase.READY:
            return Standing.AWAKE if target.is_serving else Standing.STARTING
        case _:
            assert_never(target.phase)
