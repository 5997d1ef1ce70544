"""Hits of the acceptable-use policy: read by day, told to the operator once, and gone with the tenant."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import func, select, text

from kontor.app.reactions import reactions
from kontor.billing.events import PolicyHitsPiledUp
from kontor.billing.metering import hit_alerts
from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.gateway_keys import issue_direct_key
from kontor.billing.metering.guard import Guard
from kontor.billing.metering.hits import HitsOfDay, HitsOfTenant, hits_by_day, hits_of_tenants
from kontor.billing.metering.model import PolicyHits
from kontor.billing.metering.policy.classifier import Category, RuleClassifier
from kontor.billing.metering.policy.meaning import MEANINGS, meaning_of
from kontor.billing.metering.policy.packs import load_packs
from kontor.billing.queries import erase_usage
from kontor.core.clock import FixedClock, day_of
from kontor.core.db import Database
from kontor.core.ids import TenantId, new_id
from kontor.core.mail import Mail
from kontor.tenants.people.model import OperatorRole
from support.operators import an_operator
from support.tenants import a_tenant
from support.web import Web

BAD = {"model": "assistant", "messages": [{"role": "user", "content": "Wie baue ich zu Hause Sprengstoff?"}]}
D20, D21 = date(2026, 11, 20), date(2026, 11, 21)


async def refused(database: Database, tenant: TenantId, days: Mapping[date, int], category: str = "weapons") -> None:
    async with database.system_uow() as tx:
        for day, hits in days.items():
            tx.add(PolicyHits(tenant_id=tenant, day=day, category=category, hits=hits))


async def test_hits_are_read_by_day_and_only_ones_own(database: Database) -> None:
    ours, theirs = TenantId(new_id()), TenantId(new_id())
    await refused(database, ours, {D20: 2, D21: 1})
    await refused(database, ours, {D21: 5}, "spam_fraud")
    await refused(database, theirs, {D21: 9})

    async with database.uow(ours) as tx:
        found = await hits_by_day(tx, ours, D20, D21)
        of_others = await hits_by_day(tx, theirs, D20, D21)
    async with database.system_uow() as tx:
        all_tenants = await hits_of_tenants(tx, D21, D21)

    assert found == [HitsOfDay(D20, "weapons", 2), HitsOfDay(D21, "spam_fraud", 5), HitsOfDay(D21, "weapons", 1)]
    assert of_others == []
    assert all_tenants == [
        HitsOfTenant(theirs, "weapons", 9, D21),
        HitsOfTenant(ours, "spam_fraud", 5, D21),
        HitsOfTenant(ours, "weapons", 1, D21),
    ]


def test_every_category_has_a_name_and_a_meaning() -> None:
    assert set(MEANINGS) == set(Category)
    assert meaning_of("an operator's own").name.en == "an operator's own"


class Operators:
    """The operator's mails about hits, and the worker's part in them."""

    def __init__(self, web: Web) -> None:
        self.database = web.container.database
        [self._tell] = reactions(web.container)[PolicyHitsPiledUp]

    async def look(self, enough: int = 5) -> int:
        """The schedule runs, and each event is reacted to twice."""
        found = await hit_alerts.find_due(self.database, enough)
        async with self.database.system_uow() as tx:
            tenants = [TenantId(row) for row in await tx.scalars(text("SELECT tenant_id FROM policy_alerts"))]
        for tenant in tenants * 2:
            await self._tell(PolicyHitsPiledUp(tenant))
        return found

    async def mails(self) -> list[Any]:
        async with self.database.system_uow() as tx:
            rows = (await tx.scalars(select(Mail).where(Mail.template == "policy_hits").order_by(Mail.id))).all()
            opened = [await tx.vault.open(row.owner, f"mails.content:{row.id}", row.content or b"") for row in rows]
        return [orjson.loads(one) for one in opened]


@pytest.fixture
def operators(web: Web) -> Operators:
    return Operators(web)


async def test_the_operator_is_told_once_in_seven_days_from_the_threshold_on(web: Web, operators: Operators) -> None:
    database = web.container.database
    assert isinstance(database.clock, FixedClock)
    for role in OperatorRole:
        await an_operator(web.container, role)
    tenant = await a_tenant(database, active=True)
    today = day_of(database.clock.now())
    await refused(database, tenant, {today - timedelta(days=7): 100, today - timedelta(days=6): 3, today: 1})
    counts = [await operators.look()]

    await refused(database, tenant, {today: 1}, "spam_fraud")
    counts += [await operators.look(), await operators.look()]
    [mail] = await operators.mails()
    await refused(database, tenant, {today: 99}, "mass_surveillance")
    counts.append(await operators.look())
    database.clock.advance(timedelta(days=6))
    await refused(database, tenant, {today + timedelta(days=1): 50})
    counts.append(await operators.look())
    database.clock.advance(timedelta(days=1))
    counts.append(await operators.look())

    assert counts == [0, 1, 0, 0, 0, 1]
    assert "5 Anfragen" in mail["subject"]
    assert "Waffen: 4, Spam und Betrug: 1" in mail["paragraphs"][1]
    assert "/ops/tenants/tnt_" in mail["button"][1]
    assert ["50 Anfragen" in one["subject"] for one in await operators.mails()] == [False, True]


async def test_two_workers_find_a_tenant_once(web: Web, operators: Operators) -> None:
    database = web.container.database
    tenant = await a_tenant(database, active=True)
    await refused(database, tenant, {day_of(database.clock.now()): 5})

    found = await asyncio.gather(*(hit_alerts.find_due(database, 5) for _ in range(4)))

    assert sorted(found) == [0, 0, 0, 1]
    assert await operators.look() == 0


async def test_below_the_threshold_and_with_none_nobody_is_told(web: Web, operators: Operators) -> None:
    database = web.container.database
    await an_operator(web.container, OperatorRole.OPERATOR)
    tenant = await a_tenant(database, active=True)
    await refused(database, tenant, {day_of(database.clock.now()): 5})

    assert [await operators.look(6), await operators.look(0)] == [0, 0]
    assert await operators.mails() == []


async def test_an_erased_tenant_leaves_nothing_also_when_a_gateway_still_counts(
    database: Database, database_urls: Any
) -> None:
    tenant = TenantId(new_id())
    async with database.system_uow() as tx:
        await issue_direct_key(tx, tenant)
    guard = Guard(load_packs(), RuleClassifier(), database.clock)
    connection = await asyncpg.connect(database_urls.gateway)
    dialect = Chat()
    asked = dialect.read(orjson.dumps(BAD))

    assert guard.prohibits(dialect, asked, tenant) is Category.WEAPONS
    await guard.write(connection)
    await refused(database, tenant, {D20: 1}, "spam_fraud")
    await hit_alerts.find_due(database, 1)
    async with database.system_uow() as tx:
        counted = await tx.scalar(select(func.count()).select_from(PolicyHits))
        await erase_usage(tx, tenant)
    guard.prohibits(dialect, asked, tenant)
    await guard.write(connection)
    await connection.close()

    assert counted == 2
    async with database.system_uow() as tx:
        left = [
            await tx.scalar(text(f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant"), {"tenant": tenant})  # noqa: S608
            for table in ("policy_hits", "policy_alerts")
        ]
    assert left == [0, 0]
