"""What the worker does by the clock."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from kontor.app.worker import work_of
from kontor.billing.metering import rerate
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.billing.metering.usage import Tokens
from kontor.tenants.provisioning.fake import FakeRuntime
from support.metered import Metered
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
