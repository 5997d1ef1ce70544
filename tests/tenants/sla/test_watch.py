"""What the reconciler's sightings mean for availability."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.tenants.provisioning.sightings import Cause, Sighting
from kontor.tenants.sla.model import Service
from kontor.tenants.sla.watch import Watch
from support.observed import ObservedInstance
from support.tenants import a_tenant


@pytest.fixture
async def instance(database: Database, clock: FixedClock) -> ObservedInstance:
    return ObservedInstance(database, await a_tenant(database, active=True), clock.now())


def sighting(instance: ObservedInstance, second: float, cause: Cause | None, **more: Any) -> Sighting:
    return Sighting(
        instance.id, instance.tenant, instance.begin + timedelta(seconds=second), cause is None, cause, **more
    )


async def test_hibernation_suspension_and_waking_are_excluded_and_a_failed_wake_up_is_downtime(
    instance: ObservedInstance,
) -> None:
    watch = Watch(instance.database)

    for second, cause in ((0, None), (10, Cause.HIBERNATED), (20, Cause.WAKING), (30, Cause.DOWN), (40, None)):
        await watch([sighting(instance, second, cause)])

    assert await instance.intervals() == [
        ("excluded", "hibernated", 10, 20, False),
        ("excluded", "waking", 20, 30, False),
        ("down", "down", 30, 40, False),
    ]


async def test_an_outage_carries_the_runtimes_code(instance: ObservedInstance) -> None:
    watch = Watch(instance.database)

    await watch([sighting(instance, 0, None)])
    await watch([sighting(instance, 5, Cause.DOWN, detail="exit_78")])

    assert await instance.intervals() == [("down", "exit_78", 5, 5, True)]


async def test_an_unchanged_state_is_written_every_ten_seconds_and_a_change_at_once(instance: ObservedInstance) -> None:
    watch = Watch(instance.database)

    async def known_until() -> float:
        async with instance.database.uow(instance.tenant) as tx:
            service = (await tx.scalars(select(Service))).one()
        return (service.observed_until - instance.begin).total_seconds()

    await watch([sighting(instance, 0, None)])
    await watch([sighting(instance, 8, None)])
    assert await known_until() == 0
    await watch([sighting(instance, 10, None)])
    assert await known_until() == 10
    await watch([sighting(instance, 12, Cause.DOWN)])
    assert await known_until() == 12
