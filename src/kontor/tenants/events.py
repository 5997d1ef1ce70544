"""What can happen to a tenant and its assistant, in the past tense. Ids and plain values only."""

from dataclasses import dataclass
from enum import StrEnum

from kontor.core.events import Event
from kontor.core.ids import InstanceId


class Suspension(StrEnum):
    """Why a tenant is suspended (product page, "Contracts", and "Plans" for dunning)."""

    PAYMENT_OVERDUE = "payment_overdue"
    ACCEPTABLE_USE = "acceptable_use"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class TenantCreated(Event):
    """A company has signed up; its contracts are open."""


@dataclass(frozen=True, slots=True)
class TenantActivated(Event):
    """All contracts are accepted; the assistant is on its way."""


@dataclass(frozen=True, slots=True)
class CompanyChanged(Event):
    """Name, address or another choice of the company has changed; `revision` is the new one."""

    revision: int


@dataclass(frozen=True, slots=True)
class InstanceAssigned(Event):
    """This instance is the tenant's from now on; `from_pool` tells whether it was there before."""

    instance: InstanceId
    from_pool: bool


@dataclass(frozen=True, slots=True)
class AssistantReady(Event):
    """The tenant's assistant answers for the first time."""

    instance: InstanceId


@dataclass(frozen=True, slots=True)
class AssistantFailed(Event):
    """The provisioning was given up; `code` says why (see provisioning.failures)."""

    instance: InstanceId
    code: str


@dataclass(frozen=True, slots=True)
class AssistantHibernated(Event):
    """The assistant sleeps until the next message."""

    instance: InstanceId


@dataclass(frozen=True, slots=True)
class AssistantWoken(Event):
    """The assistant was asked to get up."""

    instance: InstanceId


@dataclass(frozen=True, slots=True)
class AssistantSettingsChanged(Event):
    """Display name or system prompt has changed; `revision` is the settings' new one."""

    revision: int


@dataclass(frozen=True, slots=True)
class TenantSuspended(Event):
    """The assistant answers with the notice; keys are to be paused."""

    why: Suspension


@dataclass(frozen=True, slots=True)
class TenantResumed(Event):
    """The suspension is over; keys are to work again."""


@dataclass(frozen=True, slots=True)
class TenantErasureRequested(Event):
    """Everything of the tenant is to go; its assistant is already ending."""


@dataclass(frozen=True, slots=True)
class AssistantRemoved(Event):
    """Process, volume, gateway key and rows of the instance are gone."""

    instance: InstanceId
