"""Who is told that a share of the AI budget is used up, and what follows from it."""

import orjson
import pytest
from sqlalchemy import select

from kontor.core.db import Database
from kontor.core.ids import TenantId, new_id
from kontor.core.mail import Mail
from kontor.tenants.people.budget_letter import budget_reached, notify_of_budget
from kontor.tenants.people.model import Membership, Role
from kontor.tenants.people.sign_up import Links
from support.tenants import MUELLER, a_person, a_tenant

LINKS = Links("https://kontor.test")


async def test_owners_and_those_who_pay_are_told_and_nobody_else(database: Database) -> None:
    tenant = await a_tenant(database, active=True)
    for role in (Role.ADMIN, Role.BILLING, Role.VIEWER):
        person = await a_person(database)
        async with database.system_uow() as tx:
            tx.add(Membership(tenant_id=tenant, person_id=person, id=new_id(), role=role, created_at=tx.now))

    await notify_of_budget(database, LINKS, tenant, 80, "month", is_cap=False)

    async with database.system_uow() as tx:
        rows = (await tx.scalars(select(Mail).where(Mail.template == "budget_reached"))).all()
        mails = [await database.vault.open(row.owner, f"mails.content:{row.id}", row.content or b"") for row in rows]
    assert len(mails) == 2
    told = str(orjson.loads(mails[0]))
    assert "80 % des KI-Budgets" in told
    assert MUELLER.legal_name in told
    assert "https://kontor.test/usage" in told


async def test_a_tenant_that_is_gone_is_told_nothing(database: Database) -> None:
    await notify_of_budget(database, LINKS, TenantId(new_id()), 80, "month", is_cap=False)

    async with database.system_uow() as tx:
        assert (await tx.scalars(select(Mail))).all() == []


@pytest.mark.parametrize(
    ("percent", "period", "is_cap", "de", "en"),
    [
        (50, "month", False, "Sie müssen nichts tun", "There is nothing to do"),
        (100, "month", False, "nach Ihrem Vertrag berechnet", "charged as your contract says"),
        (100, "month", True, "bis das Budget erhöht wird", "until the budget is raised"),
        (100, "total", True, "bis das Budget erhöht wird", "until the budget is raised"),
        (100, "day", True, "bis morgen, oder bis die Obergrenze erhöht wird", "until tomorrow, or until the cap"),
    ],
)
def test_the_letter_says_what_follows(percent: int, period: str, de: str, en: str, *, is_cap: bool) -> None:
    german = budget_reached("de", "Müller", percent, "u", period=period, is_cap=is_cap)
    english = budget_reached("en", "Müller", percent, "u", period=period, is_cap=is_cap)

    assert de in german.paragraphs[1]
    assert en in english.paragraphs[1]
    assert ("Pilotphase" in german.paragraphs[1]) is (period == "total")
