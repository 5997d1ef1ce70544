"""Tenants with assistants on a runtime that the test holds in its hand, on a real Postgres."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update

from kontor.app.adapters import MeteredKeys
from kontor.billing.metering.model import GatewayKey
from kontor.billing.plans import load as load_plans
from kontor.core.clock import FixedClock
from kontor.core.db import Database, Tx
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.activate import activate
from kontor.tenants.lifecycle.view import AssistantView, assistant_view
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.fake import FakeRuntime
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.pool import Making
from kontor.tenants.provisioning.reconcile import TICK, Reconciler
from kontor.tenants.provisioning.sightings import Sighting
from kontor.tenants.provisioning.spec import RELEASE
from kontor.tenants.sellers import load_sellers
from support.speaking import speaking
from support.tenants import OPERATOR, OWNER, a_tenant

GATEWAY = "http://127.0.0.1:8081"


class Keys(MeteredKeys):
    """The real gateway keys. `faults`: so many of the next calls of `issue` break as nobody expects."""

    faults = 0

    async def issue(self, tx: Tx, instance: InstanceId) -> str:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError
        return await super().issue(tx, instance)


class Fleet:
    """What a test says to the world, and what it sees of it. `reconciler` is the first worker."""

    def __init__(self, database: Database, clock: FixedClock, *, pool_size: int = 0) -> None:
        self.database = database
        self.clock = clock
        self.runtime = FakeRuntime(starts_ready=False)
        self.gateway = Keys(load_plans(), packaged())
        self.dialects = speaking(eu="chat", de="chat", world="chat")
        self.blueprint = Blueprint(database, load_sellers("http://kontor.example"), GATEWAY)
        self.pool_size = pool_size
        self.release = RELEASE
        self.starts = 2
        self.sightings: list[Sighting] = []
        self.looked = asyncio.Event()
        self.reconciler = self.another()

    def another(self, tick: timedelta = TICK) -> Reconciler:
        """One more worker beside those that there are, or after them."""
        return Reconciler(
            self.database,
            self.runtime,
            self.gateway,
            self.blueprint,
            Making("test", self.release, 512, self.pool_size),
            dialects=self.dialects,
            starts=self.starts,
            tick=tick,
            on_observation=self._see,
        )

    async def _see(self, sightings: list[Sighting]) -> None:
        self.sightings = sightings
        self.looked.set()

    async def reconcile(self) -> None:
        await self.reconciler.run_once()

    async def company(self, **changes: object) -> TenantId:
        """A tenant whose contracts are open."""
        return await a_tenant(self.database, **changes)

    async def accept(self, tenant: TenantId) -> None:
        """Its contracts are accepted."""
        async with self.database.uow(tenant) as tx:
            await activate(tx, tenant, OWNER)

    async def tenant(self, **changes: object) -> TenantId:
        """A tenant whose contracts are accepted."""
        return await a_tenant(self.database, active=True, **changes)

    async def ready_tenant(self) -> TenantId:
        """A tenant whose assistant answers."""
        tenant = await self.tenant()
        await self.until_ready(tenant)
        return tenant

    async def until_ready(self, tenant: TenantId) -> None:
        await self.reconcile()
        await self.settle()
        view = await self.view(tenant)
        assert view.is_serving, view

    async def settle(self) -> None:
        """What is starting becomes ready, and the reconciler sees it."""
        self.finish_starting()
        await self.reconcile()

    async def instance(self, tenant: TenantId) -> Instance:
        async with self.database.system_uow() as tx:
            found = await tx.scalars(
                select(Instance)
                .join(Assignment, Assignment.instance_id == Instance.id)
                .where(Assignment.tenant_id == tenant)
            )
            return found.one()

    async def speaks(self, tenant: TenantId) -> str:
        """The dialect with which its assistant runs."""
        spec = self.runtime.instances[InstanceId((await self.instance(tenant)).id)].spec
        assert spec is not None
        return spec.dialect

    async def instances(self) -> list[Instance]:
        async with self.database.system_uow() as tx:
            return list(await tx.scalars(select(Instance).order_by(Instance.id)))

    async def pooled(self) -> list[Instance]:
        return [row for row in await self.instances() if row.sealed_for == row.id]

    async def forget(self) -> None:
        """There never was an instance, and nobody waits for one."""
        async with self.database.system_uow() as tx:
            await tx.execute(update(Tenant).values(state=TenantState.ONBOARDING))
            for table in (Assignment, Instance, GatewayKey):
                await tx.execute(delete(table))
        self.runtime.instances.clear()

    async def keys(self, instance: UUID | None = None) -> list[GatewayKey]:
        """Gateway keys that are not revoked, of one instance or of all."""
        query = select(GatewayKey).where(GatewayKey.revoked_at.is_(None))
        async with self.database.system_uow() as tx:
            return list(await tx.scalars(query.where(GatewayKey.instance_id == instance) if instance else query))

    async def view(self, tenant: TenantId) -> AssistantView:
        async with self.database.uow(tenant) as tx:
            return await assistant_view(tx, tenant)

    def finish_starting(self) -> None:
        """Whatever has a process answers now."""
        for instance, known in self.runtime.instances.items():
            if known.runs:
                self.runtime.become_ready(instance)

    def running(self) -> set[InstanceId]:
        """Instances that have a process."""
        return {instance for instance, known in self.runtime.instances.items() if known.runs}

    async def operator(self, act: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """A use case of the lifecycle, by an operator, in a unit of work of its own."""
        async with self.database.system_uow() as tx:
            await act(tx, *arguments, OPERATOR)
