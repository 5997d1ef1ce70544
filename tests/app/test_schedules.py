"""What the worker does by the clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from kontor.app.worker import work_of
from kontor.billing.metering import hit_alerts, rerate
from kontor.billing.metering.content import entries
from kontor.billing.metering.model import PolicyHits
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.billing.metering.usage import Tokens
from kontor.tenants.provisioning.fake import FakeRuntime
from support.content_log import logged
from support.metered import Metered
from support.tenants import a_tenant
from support.web import Web


async def test_usage_that_was_recorded_by_an_old_price_list_is_re_rated_every_hour(web: Web, tmp_path: Path) -> None:
    metered = await Metered(web.container.database, tmp_path / "journal").open()
    metered.call(datetime(2026, 11, 23, 8, tzinfo=UTC), Tokens(input=10), provider="builtin", model="kontor-demo")
    await metered.record()
    async with web.container.database.system_uow() as tx:
        await load_shipped_prices(tx)
    schedules = {one.name: one for one in work_of(web.container, FakeRuntime()).schedules}

    await schedules[rerate.SCHEDULE].run()

    assert await metered.costs() == [1_500]
    assert await metered.problems() == []
    async with web.container.database.system_uow() as tx:
        assert await tx.scalar(text("SELECT actor_id FROM audit_entries WHERE action = 'usage.rerated'")) == "kontor"
    await metered.close()


async def test_piled_up_hits_are_found_and_old_calls_of_content_logs_go(web: Web) -> None:
    database = web.container.database
    tenant = await a_tenant(database, active=True)
    await logged(database, tenant, "Frage", "Antwort", at=database.clock.now() - timedelta(days=8))
    async with database.system_uow() as tx:
        tx.add(PolicyHits(tenant_id=tenant, day=tx.now.date(), category="weapons", hits=5))
    schedules = {one.name: one for one in work_of(web.container, FakeRuntime()).schedules}

    await schedules[hit_alerts.SCHEDULE].run()
    await schedules[entries.SCHEDULE].run()

    async with database.system_uow() as tx:
        assert (await tx.scalars(text("SELECT hits FROM policy_alerts"))).all() == [5]
        assert (await tx.scalars(text("SELECT id FROM content_entries"))).all() == []
