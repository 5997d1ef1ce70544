"""Questions that the tenants' rooms ask of other domains; the app answers them in its adapters."""

from typing import Protocol

from kontor.core.db import Tx
from kontor.core.ids import InstanceId, TenantId


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

    async def revoke_instance(self, tx: Tx, instance: InstanceId) -> None:
        """The instance's keys are refused for ever. A second call changes nothing."""
        ...

    async def revoke_tenant(self, tx: Tx, tenant: TenantId) -> None:
        """All keys of the tenant are refused for ever. A second call changes nothing."""
        ...
