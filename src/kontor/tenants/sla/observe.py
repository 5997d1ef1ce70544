"""What was seen of an assistant becomes intervals: opened, extended and closed, never sampled.

A state holds from its observation until the next one. When the next one comes too late, nobody knows what was in
between, and that time becomes an interval of its own, unobserved. Who looks, and how, is provisioning's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kontor.core.db import Database, Tx
from kontor.core.ids import InstanceId, OutageId, TenantId, new_id
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.sla import causes
from kontor.tenants.sla.availability import IntervalKind
from kontor.tenants.sla.model import Component, Outage, Service

LONGEST_GAP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at an instance. `serving` is None while it should not serve (hibernated, suspended).

    `cause` is a stable code (see causes for their names); it is not used while the assistant serves.
    """

    tenant: TenantId
    instance: InstanceId
    at: datetime
    serving: bool | None
    cause: str = ""


async def record_observations(
    database: Database, observations: Sequence[Observation], *, longest_gap: timedelta = LONGEST_GAP
) -> None:
    """All are recorded, each tenant's in one unit of work, in the order of their time.

    Those of a tenant that is being erased, or gone, are dropped. Raises Unavailable.
    """
    ordered = sorted(observations, key=attrgetter("tenant", "at"))
    for tenant, of_tenant in groupby(ordered, key=attrgetter("tenant")):
        async with database.uow(tenant) as tx:
            for one in of_tenant:
                await observe(tx, one, longest_gap=longest_gap)


async def observe(tx: Tx, seen: Observation, *, longest_gap: timedelta = LONGEST_GAP) -> None:
    """The instance's intervals are true up to `seen.at`.

    The same observation again, or one older than what is known, changes nothing. Service begins with the first one
    that serves; what comes before is not recorded.
    """
    service = await _service(tx, seen)
    if service is None or seen.at <= service.observed_until:
        return
    gap = seen.at - service.observed_until
    known_until = service.observed_until if gap > longest_gap else seen.at
    service.observed_until = seen.at
    wanted = _state(seen)
    current = await tx.scalar(
        select(Outage).where(
            Outage.tenant_id == seen.tenant, Outage.instance_id == seen.instance, Outage.ended_at.is_(None)
        )
    )
    if current is not None:
        current.observed_until = known_until
        if known_until == seen.at and (IntervalKind(current.kind), current.cause) == wanted:
            return
        current.ended_at = known_until
        await tx.flush()  # the open one is closed before another is opened
    if known_until < seen.at:
        tx.add(_outage(seen, IntervalKind.UNOBSERVED, causes.UNOBSERVED, known_until, ended_at=seen.at))
    if wanted is not None:
        kind, cause = wanted
        tx.add(_outage(seen, kind, cause, seen.at, ended_at=None))
    await tx.flush()


def _state(seen: Observation) -> tuple[IntervalKind, str] | None:
    if seen.serving:
        return None
    if seen.serving is None:
        return IntervalKind.EXCLUDED, seen.cause
    return IntervalKind.DOWN, seen.cause


async def _service(tx: Tx, seen: Observation) -> Service | None:
    """The instance's row, locked; None before service and for a tenant that goes."""
    mine = (
        select(Service)
        .where(Service.tenant_id == seen.tenant, Service.instance_id == seen.instance)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = await tx.scalar(mine)
    if found is not None or seen.serving is not True:
        return found
    # Held until the end: an erasure that begins now waits and then takes this row with it.
    state = await tx.scalar(select(Tenant.state).where(Tenant.id == seen.tenant).with_for_update(read=True))
    if state is None or state == TenantState.ERASING:
        return None
    await tx.execute(
        insert(Service)
        .values(tenant_id=seen.tenant, instance_id=seen.instance, service_from=seen.at, observed_until=seen.at)
        .on_conflict_do_nothing()
    )
    return await tx.scalar(mine)


def _outage(
    seen: Observation, kind: IntervalKind, cause: str, started_at: datetime, *, ended_at: datetime | None
) -> Outage:
    return Outage(
        id=OutageId(new_id()),
        tenant_id=seen.tenant,
        instance_id=seen.instance,
        component=Component.ASSISTANT,
        kind=kind,
        cause=cause,
        started_at=started_at,
        observed_until=ended_at or started_at,
        ended_at=ended_at,
    )
