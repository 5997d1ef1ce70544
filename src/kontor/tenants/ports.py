"""Questions that the tenants' rooms ask of other domains; the app answers them in its adapters."""

from datetime import datetime
from typing import Protocol

from kontor.core.db import Tx
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.contracts.facts import PlanTerms, SubProcessor
from kontor.tenants.provisioning.spec import Dialect


class GatewayKeys(Protocol):
    """Keys with which instances reach the LLM gateway. Every call is part of the caller's transaction."""

    async def issue(self, tx: Tx, instance: InstanceId) -> str:
        """A fresh secret for the instance, the only one that is valid; it belongs to no tenant yet."""
        ...

    async def bind(self, tx: Tx, instance: InstanceId, tenant: TenantId) -> None:
        """What the instance uses is the tenant's from now on. A second call changes nothing."""
        ...

    async def pause(self, tx: Tx, tenant: TenantId) -> None:
        """The tenant's keys are refused until `unpause`. A second call changes nothing."""
        ...

    async def unpause(self, tx: Tx, tenant: TenantId) -> None:
        """The tenant's keys work again. A second call changes nothing."""
        ...

    async def follow_language(self, tx: Tx, tenant: TenantId) -> None:
        """Refusals are in the tenant's present language. A second call changes nothing."""
        ...

    async def revoke_instance(self, tx: Tx, instance: InstanceId) -> None:
        """The instance's keys are refused for ever. A second call changes nothing."""
        ...

    async def revoke_tenant(self, tx: Tx, tenant: TenantId) -> None:
        """All keys of the tenant are refused for ever. A second call changes nothing."""
        ...


class Plans(Protocol):
    """What a plan promises and costs, for contracts and targets."""

    def terms(self, plan: str, seats: int, country: str, *, is_pilot: bool) -> PlanTerms:
        """The plan in its present version, with prices in the country's currency."""
        ...


class Deployments(Protocol):
    """Which providers of models are reachable for which choice of data residency."""

    def reachable(self, residency: str) -> tuple[SubProcessor, ...]:
        """The sub-processors of exactly these; empty when the model runs on the operator's own machines."""
        ...

    def serves(self, residency: str) -> bool:
        """Whether any model can be reached under this choice."""
        ...


class Dialects(Protocol):
    """In which of the gateway's dialects assistants ask for their model. The answer may change at any time."""

    def dialect(self, residency: str | None) -> Dialect | None:
        """That of tenants with this choice of data residency; of None: of the warm pool, which is nobody's yet.

        None: nobody serves them now, and what they speak does not matter.
        """
        ...


class ProviderOutages(Protocol):
    """When providers of models were down."""

    async def times(self, tx: Tx, residency: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The parts of [start, end), sorted and disjoint, in which every provider was that might have answered.

        An outage that lasts reaches to its last failed try.
        """
        ...
