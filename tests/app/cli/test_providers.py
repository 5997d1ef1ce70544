"""Outages of providers, by the command line."""

from datetime import timedelta

from kontor.billing.metering.outages.model import ProviderOutage
from kontor.core.clock import SystemClock
from kontor.core.db import Database
from kontor.core.ids import new_id
from support.commands import Commands


async def test_outages_are_listed_once_however_many_gateways_saw_them(kontor: Commands, database: Database) -> None:
    empty = await kontor.run("providers", "outages")
    begin = SystemClock().now() - timedelta(hours=3)
    async with database.system_uow() as tx:
        for first, last, cause in ((0, 20, "failing"), (10, 30, "silent"), (60, 70, "refuses")):
            until = begin + timedelta(minutes=last)
            tx.add(
                ProviderOutage(
                    id=new_id(),
                    gateway=new_id(),
                    deployment="mistral/small",
                    is_third_party=True,
                    cause=cause,
                    started_at=begin + timedelta(minutes=first),
                    observed_until=until,
                    ended_at=until if cause != "refuses" else None,
                )
            )

    listed = (await kontor.run("providers", "outages", "--json")).json
    table = (await kontor.run("providers", "outages", "--days", "1")).out

    assert "No outage was seen" in empty.out
    assert [(one["causes"], one["gateways"], one["is_over"], one["is_excluded"]) for one in listed] == [
        (["refuses"], 1, None, False),
        (["failing", "silent"], 2, True, True),
    ]
    assert "not observed any more" in table
