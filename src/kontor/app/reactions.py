"""The one page on which something that happened meets what is done about it."""

from sqlalchemy import select

from kontor.app.container import Container
from kontor.billing.events import AllowanceReached, PolicyHitsPiledUp
from kontor.billing.metering import hit_alerts
from kontor.billing.metering.policy.meaning import meaning_of
from kontor.core.db import Tx
from kontor.core.events import Reactions
from kontor.core.ids import TenantId
from kontor.tenants.events import AssistantRemoved, CompanyChanged, TenantResumed, TenantSuspended
from kontor.tenants.leaving.eraser import advance_at_once
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.people.budget_letter import notify_of_budget
from kontor.tenants.people.policy_letter import tell_operators
from kontor.tenants.talk.events import HumanRequested
from kontor.tenants.talk.notify import notify_members


def reactions(container: Container) -> Reactions:
    """For each event what follows. Each reaction re-reads the rows: events come in any order and twice."""
    database, links = container.database, container.links

    async def tell_members_that_a_human_is_wanted(event: HumanRequested) -> None:
        await notify_members(database, links, event)

    async def tell_who_pays(event: AllowanceReached) -> None:
        await notify_of_budget(database, links, event.tenant, event.percent, event.period, is_cap=event.is_cap)

    async def tell_the_operator_of_hits(event: PolicyHitsPiledUp) -> None:
        async with database.system_uow() as tx:
            hits = await hit_alerts.claim(tx, event.tenant)
            if hits:
                named = [(meaning_of(one.category).name, one.hits) for one in hits]
                await tell_operators(tx, links, event.tenant, named, hit_alerts.DAYS)

    async def go_on_with_the_erasure(event: AssistantRemoved) -> None:
        await advance_at_once(database, event.tenant)

    return {
        AllowanceReached: [tell_who_pays],
        PolicyHitsPiledUp: [tell_the_operator_of_hits],
        HumanRequested: [tell_members_that_a_human_is_wanted],
        AssistantRemoved: [go_on_with_the_erasure],
        **_of_keys(container),
    }


def _of_keys(container: Container) -> Reactions:
    """What the gateway has to know of a tenant stands in its keys."""
    database = container.database

    async def pause_keys(event: TenantSuspended) -> None:
        async with database.system_uow() as tx:
            if await is_suspended(tx, event.tenant):
                await container.keys.pause(tx, event.tenant)

    async def unpause_keys(event: TenantResumed) -> None:
        async with database.system_uow() as tx:
            if not await is_suspended(tx, event.tenant):
                await container.keys.unpause(tx, event.tenant)

    async def speak_its_language(event: CompanyChanged) -> None:
        async with database.system_uow() as tx:
            await container.keys.follow_language(tx, event.tenant)

    return {
        CompanyChanged: [speak_its_language],
        TenantSuspended: [pause_keys],
        TenantResumed: [unpause_keys],
    }


async def is_suspended(tx: Tx, tenant: TenantId) -> bool:
    """Whether the tenant is suspended now, whatever the event said: another may have come after it."""
    state = await tx.scalar(select(Tenant.state).where(Tenant.id == tenant).with_for_update())
    return state == TenantState.SUSPENDED
