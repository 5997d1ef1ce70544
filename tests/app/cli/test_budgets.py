"""Budgets of tenants by the command line."""

import pytest
from sqlalchemy import text

from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from support.commands import Commands
from support.tenants import a_tenant

EURO = 1_000_000_000


async def test_a_budget_is_bounded_shown_and_freed_again(kontor: Commands, database: Database) -> None:
    id_ = await a_tenant(database, active=True, is_pilot=True, seats=5)
    tenant = encode(PREFIXES["tenant"], id_)

    bounded = (await kontor.run("budgets", "set", tenant, "--cap", "40.50", "--json")).json
    async with database.system_uow() as tx:
        await tx.execute(text("UPDATE budget_periods SET spent_nano = :n"), {"n": 81 * EURO // 4})
    shown = (await kontor.run("budgets", "show", tenant, "--json")).json
    table = await kontor.run("budgets", "show", tenant)
    freed = (await kontor.run("budgets", "set", tenant, "--no-cap", "--json")).json

    assert bounded["operator_cap_eur"] == shown["operator_cap_eur"] == "40.5000"
    [pilot] = shown["budgets"]
    assert (pilot["period"], pilot["cap_eur"], pilot["spent_eur"]) == ("total", "40.5000", "20.2500")
    assert pilot["percent"] == "50.0"
    assert "The operator's cap: 40.5000 EUR." in table.out
    assert "20.2500" in table.out
    assert (freed["operator_cap_eur"], freed["budgets"][0]["cap_eur"]) == (None, "25.0000")
    async with database.uow(id_) as tx:
        acts = await tx.execute(text("SELECT actor_id FROM audit_entries WHERE action = 'budget.operator_cap_set'"))
        assert [row[0] for row in acts] == ["command line"] * 2


@pytest.mark.parametrize(
    "cap", [("--cap", "much"), ("--cap", "-1"), ("--cap", "0.001"), (), ("--cap", "1", "--no-cap")]
)
async def test_a_cap_is_an_amount_in_cents_or_none(kontor: Commands, database: Database, cap: tuple[str, ...]) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(database, active=True))

    assert (await kontor.run("budgets", "set", tenant, *cap)).code == 2
    assert (await kontor.run("budgets", "show", tenant, "--json")).json["revision"] == 0


async def test_an_unknown_tenant_has_no_budget(kontor: Commands) -> None:
    ended = await kontor.run("budgets", "show", "nobody")

    assert ended.refusal is not None
    assert "kontor tenants list" in ended.refusal.sentence("en")
