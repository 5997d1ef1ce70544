"""Availability over HTTP."""

from datetime import timedelta

import pytest

from kontor.billing.metering.outages.model import ModelRoute, ProviderOutage
from kontor.core.clock import FixedClock
from kontor.core.ids import TenantId, decode, new_id
from support.observed import ObservedInstance
from support.web import Web


async def test_a_month_has_availability_target_and_each_outage(web: Web, clock: FixedClock) -> None:
    async with web.client() as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org", plan="professional"))["id"])))
        instance = ObservedInstance(web.container.database, tenant, clock.now())
        await instance.seen(*(instance.look(10 * second, serving=second != 50) for second in range(101)))
        clock.advance(timedelta(seconds=1000))

        answer = (await ada.get("/api/v1/sla", params={"month": "2026-11"})).json()

    assert (answer["availability_pct"], answer["target_pct"], answer["is_met"]) == ("99.000", "99.5", False)
    assert (answer["in_service_s"], answer["down_s"], answer["excluded_s"], answer["unobserved_s"]) == (1000, 10, 0, 0)
    assert answer["outages_total"] == 1
    outage = answer["outages"][0]
    assert (outage["started_at"], outage["ended_at"]) == ("2026-11-23T09:08:20Z", "2026-11-23T09:08:30Z")
    assert outage["cause_text"] == "Assistent antwortete nicht"


async def test_a_company_without_service_is_not_measured(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org", plan="enterprise")

        answer = (await ada.get("/api/v1/sla")).json()

    assert (answer["month"], answer["availability_pct"], answer["is_met"]) == ("2026-11", None, None)
    assert answer["target_pct"] == "99.9"


async def test_a_month_that_is_none_or_has_not_begun_is_refused(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        none = await ada.get("/api/v1/sla", params={"month": "2026-13"})
        future = await ada.get("/api/v1/sla", params={"month": "2026-12"})

    assert none.status_code == 422
    assert (future.status_code, future.json()["code"]) == (422, "sla.month_in_future")


async def test_the_last_ninety_days_end_today(web: Web, clock: FixedClock) -> None:
    async with web.client() as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        instance = ObservedInstance(web.container.database, tenant, clock.now())
        await instance.seen(instance.look(0, serving=True), instance.look(20, serving=True))
        clock.advance(timedelta(seconds=20))

        days = (await ada.get("/api/v1/sla/days")).json()

    assert (len(days), days[-1]["day"], days[-1]["availability_pct"]) == (90, "2026-11-23", "100.000")


async def test_another_companys_outages_are_not_told(web: Web, clock: FixedClock) -> None:
    async with web.client() as ada, web.client() as bob:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        await web.active(bob, "bob@example.org")
        instance = ObservedInstance(web.container.database, tenant, clock.now())
        await instance.seen(instance.look(0, serving=True), instance.look(10, serving=False, cause="down"))

        answer = (await bob.get("/api/v1/sla")).json()

    assert (answer["outages"], answer["in_service_s"]) == ([], 0)


@pytest.mark.parametrize(
    ("residency", "down", "seconds"),
    [("eu", ("one", "two"), 300), ("eu", ("one",), 0), ("world", ("one", "two"), 0)],
)
async def test_time_in_which_every_permitted_provider_was_down_is_excluded_and_told_separately(
    web: Web, clock: FixedClock, residency: str, down: tuple[str, ...], seconds: int
) -> None:
    begin = clock.now()
    async with web.container.database.system_uow() as tx:
        for of, names in (("eu", ["one", "two"]), ("world", ["one", "two", "three"])):
            tx.add(ModelRoute(model="assistant", dialect="chat", residency=of, since=begin, deployments=names))
        for name in down:
            tx.add(
                ProviderOutage(
                    id=new_id(),
                    gateway=new_id(),
                    deployment=name,
                    is_third_party=True,
                    cause="failing",
                    started_at=begin + timedelta(seconds=100),
                    observed_until=begin + timedelta(seconds=400),
                )
            )
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org", residency=residency)
        instance = ObservedInstance(web.container.database, TenantId(decode("tnt", str(company["id"]))), begin)
        await instance.seen(*(instance.look(10 * second, serving=second != 20) for second in range(101)))
        clock.advance(timedelta(seconds=1000))

        answer = (await ada.get("/api/v1/sla")).json()
        today = (await ada.get("/api/v1/sla/days")).json()[-1]
        page = (await ada.get("/availability")).text

    # The assistant itself was down for 10 s at second 200, within the outage of the providers.
    assert (answer["provider_down_s"], answer["excluded_s"], answer["in_service_s"]) == (seconds, seconds, 1000)
    assert answer["down_s"] == (0 if seconds else 10)
    assert [(one["started_at"], one["observed_until"]) for one in answer["providers_down"]] == (
        [("2026-11-23T09:01:40Z", "2026-11-23T09:06:40Z")] if seconds else []
    )
    assert today["provider_down_s"] == seconds
    assert ("Ausfälle der Modellanbieter" in page) == bool(seconds)
