"""The ports of one domain answered over the other: the only place that knows both."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from kontor.app.providers import engaged
from kontor.billing import queries
from kontor.billing.metering import gateway_keys
from kontor.billing.metering.budgets.limits import set_plan_budget
from kontor.billing.metering.catalogue import ASSISTANT
from kontor.billing.metering.catalogue import Catalogue as Models
from kontor.billing.metering.content import entries
from kontor.billing.metering.content.switch import standing
from kontor.billing.metering.outages.queries import times_all_down
from kontor.billing.plans import PriceList
from kontor.core.audit import SYSTEM
from kontor.core.db import Database, Tx
from kontor.core.i18n import DEFAULT, as_lang
from kontor.core.ids import InstanceId, TenantId
from kontor.core.money import Money
from kontor.core.settings import Settings
from kontor.core.sheets import safe_cell
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.contracts.facts import Pilot, PlanTerms, SubProcessor, sub_processor
from kontor.tenants.model import Tenant
from kontor.tenants.ports import Dialects
from kontor.tenants.provisioning.spec import DIALECT

# Before any usage.
_BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
EVER: Final = datetime(2020, 1, 1, tzinfo=UTC)


class MeteredKeys:
    """tenants.ports.GatewayKeys over billing's keys and budgets."""

    def __init__(self, prices: PriceList, contracts: Catalogue) -> None:
        self._prices = prices
        self._contracts = contracts

    async def issue(self, tx: Tx, instance: InstanceId) -> str:
        """A fresh secret for the instance, the only one that is valid; it belongs to no tenant yet."""
        await gateway_keys.revoke_instance_key(tx, instance)
        return await gateway_keys.issue_key(tx, instance)

    async def bind(self, tx: Tx, instance: InstanceId, tenant: TenantId) -> None:
        """What the instance uses is the tenant's from now on, within its plan; refusals are in its language."""
        row = await tx.get_one(Tenant, tenant)
        pack = self._contracts.industry(row.industry).pack
        language = as_lang(row.language) or DEFAULT
        await gateway_keys.bind_key(tx, instance, tenant, language, row.residency, pack=pack)
        await set_plan_budget(tx, tenant, self._prices, row.plan, row.seats, is_pilot=row.is_pilot)

    async def pause(self, tx: Tx, tenant: TenantId) -> None:
        """The tenant's keys are answered with the notice until `unpause`."""
        await gateway_keys.set_key_state(tx, tenant, "suspended")

    async def unpause(self, tx: Tx, tenant: TenantId) -> None:
        """The tenant's keys work again."""
        await gateway_keys.set_key_state(tx, tenant, "active")

    async def follow_language(self, tx: Tx, tenant: TenantId) -> None:
        """Refusals are in the tenant's present language; one that is gone has none."""
        language = await tx.scalar(select(Tenant.language).where(Tenant.id == tenant).with_for_update())
        if language is not None:
            await gateway_keys.set_key_language(tx, tenant, as_lang(language) or DEFAULT)

    async def revoke_instance(self, tx: Tx, instance: InstanceId) -> None:
        """The instance's keys are refused for ever."""
        await gateway_keys.revoke_instance_key(tx, instance)

    async def revoke_tenant(self, tx: Tx, tenant: TenantId) -> None:
        """All keys of the tenant are refused for ever."""
        await gateway_keys.revoke_keys(tx, tenant)


class RecordedUsage:
    """tenants.leaving.ports.UsageRecords over billing's events and sums."""

    async def as_csv(self, tx: Tx, tenant: TenantId) -> str:
        """All usage by day and model, with names that no spreadsheet takes for a formula."""
        rows = await queries.usage_by_day(tx, tenant, EVER, tx.now + timedelta(days=1))
        return queries.usage_csv([replace(row, model=safe_cell(row.model)) for row in rows])

    async def note_content(self, tx: Tx, tenant: TenantId) -> int:
        """How many calls the content log holds; if any, the audit log tells that they are taken."""
        held = (await standing(tx, tenant)).entries
        if held:
            await entries.note_reading(tx, tenant, SYSTEM, "exported")
        return held

    def content(self, database: Database, tenant: TenantId, until: datetime) -> AsyncIterator[str]:
        """The content log as JSON lines."""
        return entries.lines(database, tenant, until)

    async def erase(self, tx: Tx, tenant: TenantId) -> None:
        """Keys, events and sums are gone, and what a journal still holds is dropped."""
        await queries.erase_usage(tx, tenant)


class PricedPlans:
    """tenants.ports.Plans over billing's price list."""

    def __init__(self, prices: PriceList, currency_of: dict[str, str]) -> None:
        self._prices = prices
        self._currency_of = currency_of

    def terms(self, plan: str, seats: int, country: str, *, is_pilot: bool) -> PlanTerms:
        """The plan in its present version, with prices in the country's currency."""
        found = self._prices.plans[plan]
        pilot = self._prices.pilot
        return PlanTerms(
            key=found.key,
            name=found.name,
            seats=seats,
            is_annual=False,
            price=found.seat_price(seats, self._currency_of.get(country, "EUR")),
            ai_budget=Money(found.ai_budget_cents),
            overage_factor=found.overage_factor,
            availability_pct=found.availability_pct,
            p1_reaction_h=found.p1_reaction_h,
            rto_h=found.rto_h,
            rpo_h=found.rpo_h,
            hibernates=found.hibernates,
            pilot=Pilot(pilot.weeks, pilot.channels, Money(pilot.cap_cents)) if is_pilot else None,
        )


class ConfiguredDeployments:
    """tenants.ports.Deployments from the catalogue of models and KONTOR_SUB_PROCESSORS.

    Addresses of the operator's own count as its own machines unless that setting names whose they are; hosting
    companies stand there too.
    """

    def __init__(self, settings: Settings, contracts: Catalogue, models: Models) -> None:
        self._contracts = contracts
        self._hosting = engaged(settings, contracts)
        self._models = models

    def reachable(self, residency: str) -> tuple[SubProcessor, ...]:
        """The sub-processors that are engaged and fit."""
        serving = {one.sub_processor for one in self._models.deployments if residency in one.serves}
        keys = self._hosting | serving
        return tuple(sub_processor(one) for one in self._contracts.fitting(residency) if one.key in keys)

    def serves(self, residency: str) -> bool:
        """Whether an assistant can be had under this choice."""
        return self._models.spoken(ASSISTANT, residency) is not None


class RecordedProviderOutages:
    """tenants.ports.ProviderOutages over what the gateways' circuits saw of the dialect that assistants speak now."""

    def __init__(self, dialects: Dialects) -> None:
        self._dialects = dialects

    async def times(self, tx: Tx, residency: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """When every deployment that serves assistants under this choice was down by its provider's fault."""
        dialect = self._dialects.dialect(residency) or DIALECT
        return await times_all_down(tx, ASSISTANT, dialect, residency, start=start, end=end)
