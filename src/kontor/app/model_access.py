"""What a tenant may spend on which models with which keys: billing's budgets under its plan, state and choices.

The only place that knows both; every call is part of the caller's transaction.
"""

from typing import Final

from kontor.billing.metering import direct_keys
from kontor.billing.metering.budgets.limits import (
    Caps,
    has_plan_budget,
    plan_budget,
    set_operator_cap,
    set_own_caps,
    set_plan_budget,
)
from kontor.billing.metering.budgets.standing import TenantBudget, planned, tenant_budget
from kontor.billing.metering.catalogue import Catalogue as Models
from kontor.billing.metering.direct_keys import DirectKey, NewKey, Rules
from kontor.billing.plans import PriceList
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.i18n import DEFAULT, as_lang
from kontor.core.ids import TenantId
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.errors import NotPossible
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import Tenant, TenantState

_HAS_A_PLAN: Final = (TenantState.ACTIVE, TenantState.SUSPENDED)


class ModelAccess:
    """Budgets and direct keys of tenants."""

    def __init__(self, prices: PriceList, contracts: Catalogue, models: Models) -> None:
        self._prices = prices
        self._contracts = contracts
        self._models = models

    async def create_key(self, tx: Tx, tenant: TenantId, wanted: NewKey, by: Actor) -> tuple[DirectKey, str]:
        """A key for the tenant's own programs, bound as its assistant is, and its secret, which is never shown again.

        Raises NotFound, NotPossible (the tenant is not active), KeyExpiryPast.
        """
        row = await self._locked(tx, tenant, TenantState.ACTIVE)
        await self._ensure_budget(tx, row)
        pack = self._contracts.industry(row.industry).pack
        rules = Rules(as_lang(row.language) or DEFAULT, row.residency, pack)
        return await direct_keys.create(tx, tenant, wanted, rules, by)

    async def models(self, tx: Tx, tenant: TenantId) -> tuple[str, ...]:
        """Names of the models that the tenant's choice of data residency permits. Raises NotFound."""
        return tuple(self._models.names((await tenant_of(tx, tenant)).residency))

    async def budget(self, tx: Tx, tenant: TenantId) -> TenantBudget:
        """Where the tenant's budget stands; as its plan will have it while it has none. Raises NotFound."""
        row = await tenant_of(tx, tenant)
        found = await tenant_budget(tx, tenant)
        if found is not None:
            return found
        return planned(*plan_budget(self._prices, row.plan, row.seats, is_pilot=row.is_pilot), tx.now)

    async def set_caps(self, tx: Tx, tenant: TenantId, caps: Caps, by: Actor, *, expected: int) -> TenantBudget:
        """The tenant's own caps are these. Raises NotFound, NotPossible, ChangedMeanwhile, CapTooHigh."""
        row = await self._locked(tx, tenant, *_HAS_A_PLAN)
        is_first = await self._ensure_budget(tx, row)
        await set_own_caps(tx, tenant, caps, by, expected=1 if is_first and expected == 0 else expected)
        return await self.budget(tx, tenant)

    async def set_operator_cap(self, tx: Tx, tenant: TenantId, nano: int | None, by: Actor) -> TenantBudget:
        """The operator lets the tenant spend at most this; None: what its plan allows. Raises NotFound, NotPossible."""
        await self._ensure_budget(tx, await self._locked(tx, tenant, *_HAS_A_PLAN))
        await set_operator_cap(tx, tenant, nano, by)
        return await self.budget(tx, tenant)

    async def _ensure_budget(self, tx: Tx, row: Tenant) -> bool:
        """The tenant has its plan's budget; whether it is new. Before its assistant is there nobody has set it."""
        tenant = TenantId(row.id)
        if await has_plan_budget(tx, tenant):
            return False
        await set_plan_budget(tx, tenant, self._prices, row.plan, row.seats, is_pilot=row.is_pilot)
        return True

    async def _locked(self, tx: Tx, tenant: TenantId, *states: TenantState) -> Tenant:
        """Locked, so that a suspension or an erasure that begins now finds what is made."""
        row = await tenant_of(tx, tenant, lock=True)
        if row.state not in states:
            raise NotPossible(TenantState(row.state), TenantState.ACTIVE)
        return row
