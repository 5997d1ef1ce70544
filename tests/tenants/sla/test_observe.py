"""What was seen becomes intervals: opened, extended, closed, and honest about gaps."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from kontor.app.adapters import RecordedProviderOutages
from kontor.core.clock import FixedClock, Month
from kontor.core.db import Database
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.sla.model import Service
from kontor.tenants.sla.observe import record_observations
from kontor.tenants.sla.queries import daily_strip, month_of_service
from support.observed import ObservedInstance
from support.speaking import speaking
from support.tenants import OWNER, a_tenant


@pytest.fixture
async def instance(database: Database, clock: FixedClock) -> ObservedInstance:
    return ObservedInstance(database, await a_tenant(database, active=True), clock.now())


async def test_an_assistant_that_always_serves_leaves_no_interval(instance: ObservedInstance) -> None:
    await instance.seen(*(instance.look(second, serving=True) for second in range(0, 100, 10)))

    assert await instance.intervals() == []


async def test_an_outage_opens_is_extended_and_closes(instance: ObservedInstance) -> None:
    await instance.seen(instance.look(0, serving=True), instance.look(10, serving=False, cause="port_taken"))
    await instance.seen(instance.look(20, serving=False, cause="port_taken"))
    assert await instance.intervals() == [("down", "port_taken", 10, 20, True)]

    await instance.seen(instance.look(30, serving=True))

    assert await instance.intervals() == [("down", "port_taken", 10, 30, False)]


async def test_another_cause_is_another_interval(instance: ObservedInstance) -> None:
    await instance.seen(
        instance.look(0, serving=True),
        instance.look(10, serving=False, cause="down"),
        instance.look(20, serving=None, cause="suspended"),
        instance.look(30, serving=True),
    )

    assert await instance.intervals() == [("down", "down", 10, 20, False), ("excluded", "suspended", 20, 30, False)]


async def test_time_that_nobody_looked_is_unobserved_and_neither_up_nor_down(instance: ObservedInstance) -> None:
    await instance.seen(instance.look(0, serving=True), instance.look(100, serving=True))

    assert await instance.intervals() == [("unobserved", "not_observed", 0, 100, False)]


async def test_a_gap_within_an_outage_is_not_downtime(instance: ObservedInstance) -> None:
    await instance.seen(
        instance.look(0, serving=True),
        instance.look(10, serving=False, cause="down"),
        instance.look(20, serving=False, cause="down"),
        instance.look(90, serving=False, cause="down"),
    )

    assert await instance.intervals() == [
        ("down", "down", 10, 20, False),
        ("unobserved", "not_observed", 20, 90, False),
        ("down", "down", 90, 90, True),
    ]


async def test_a_gap_as_long_as_allowed_is_none(instance: ObservedInstance) -> None:
    await instance.seen(instance.look(0, serving=True), instance.look(30, serving=True))

    assert await instance.intervals() == []


async def test_observations_that_come_twice_or_late_change_nothing(instance: ObservedInstance) -> None:
    looks = [
        instance.look(0, serving=True),
        instance.look(10, serving=False, cause="down"),
        instance.look(20, serving=True),
    ]
    await instance.seen(*looks)
    before = await instance.intervals()

    await instance.seen(*looks)
    await instance.seen(instance.look(15, serving=False, cause="late"))

    assert await instance.intervals() == before == [("down", "down", 10, 20, False)]


async def test_service_begins_when_the_assistant_first_serves(instance: ObservedInstance) -> None:
    await instance.seen(instance.look(0, serving=False, cause="provisioning"), instance.look(10, serving=True))

    assert await instance.intervals() == []
    async with instance.database.uow(instance.tenant) as tx:
        service = (await tx.scalars(select(Service))).one()
    assert service.service_from == instance.begin + timedelta(seconds=10)


async def test_an_observation_of_a_tenant_that_is_being_erased_is_dropped(instance: ObservedInstance) -> None:
    async with instance.database.uow(instance.tenant) as tx:
        await request_erasure(tx, instance.tenant, OWNER)

    await instance.seen(instance.look(0, serving=True), instance.look(5, serving=False, cause="down"))

    assert await instance.intervals() == []


async def test_one_tenants_intervals_are_not_anothers(instance: ObservedInstance, database: Database) -> None:
    other = ObservedInstance(database, await a_tenant(database, active=True), instance.begin)

    await record_observations(
        database,
        [
            other.look(10, serving=True),
            instance.look(10, serving=False, cause="down"),
            other.look(0, serving=True),
            instance.look(0, serving=True),
        ],
    )

    assert await other.intervals() == []
    assert await instance.intervals() == [("down", "down", 10, 10, True)]


async def test_a_month_tells_seconds_and_outages(instance: ObservedInstance, clock: FixedClock) -> None:
    await instance.seen(
        instance.look(0, serving=True),
        instance.look(20, serving=False, cause="down"),
        instance.look(35, serving=True),
        instance.look(40, serving=None, cause="hibernated"),
        instance.look(60, serving=True),
        instance.look(80, serving=True),
    )
    clock.advance(timedelta(seconds=90))

    async with instance.database.uow(instance.tenant) as tx:
        month = await month_of_service(
            tx, instance.tenant, Month(2026, 11), RecordedProviderOutages(speaking(eu="chat"))
        )

    measured = month.measured
    assert (measured.in_service_s, measured.down_s, measured.excluded_s, measured.unobserved_s) == (80, 15, 20, 0)
    assert month.outages_total == 1
    assert [(one.cause, one.ended_at) for one in month.outages] == [("down", instance.begin + timedelta(seconds=35))]


async def test_silence_until_now_is_unobserved(instance: ObservedInstance, clock: FixedClock) -> None:
    await instance.seen(instance.look(0, serving=True), instance.look(20, serving=True))
    clock.advance(timedelta(seconds=100))

    async with instance.database.uow(instance.tenant) as tx:
        month = await month_of_service(
            tx, instance.tenant, Month(2026, 11), RecordedProviderOutages(speaking(eu="chat"))
        )

    assert (month.measured.in_service_s, month.measured.unobserved_s) == (100, 80)
    assert month.measured.availability == 1


async def test_the_strip_has_ninety_berlin_days_and_today_is_the_last(
    instance: ObservedInstance, clock: FixedClock
) -> None:
    await instance.seen(
        instance.look(0, serving=True), instance.look(10, serving=False, cause="down"), instance.look(40, serving=True)
    )
    clock.advance(timedelta(seconds=40))

    async with instance.database.uow(instance.tenant) as tx:
        strip = await daily_strip(tx, instance.tenant, clock.now(), RecordedProviderOutages(speaking(eu="chat")))

    assert len(strip) == 90
    assert (strip[-1].day.isoformat(), strip[-1].measured.down_s) == ("2026-11-23", 30)
    assert all(day.measured.availability is None for day in strip[:-1])
