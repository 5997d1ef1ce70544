"""The main job on real parts, from sign-up to erased, and what is left of it: looked at from the inside.

The first file of this folder: nobody has used the product before.
"""

import json
from typing import Any

import pytest

from kontor.app.journey import STEPS
from kontor.app.schema import METADATA
from kontor.core import tenancy
from kontor.core.audit import OPERATOR_CHAIN
from support.eventually import eventually
from support.stack import Stack

pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.openclaw]

SAID = "Mein Name ist Jürgen"
KEPT = {"audit_entries", "audit_heads"}
TENANT_TABLES = [table.name for table in METADATA.sorted_tables if tenancy.access_of(table).of_tenant]


async def tenants_ever(stack: Stack) -> set[Any]:
    chains = {row["tenant_id"] for row in await stack.rows("SELECT DISTINCT tenant_id FROM audit_entries")}
    return chains - {OPERATOR_CHAIN}


async def test_the_journey_ends_well_and_leaves_nothing_but_its_audit_chain(stack: Stack) -> None:
    before = await tenants_ever(stack)

    played = stack.run("journey", "--json")

    report = json.loads(played.stdout)
    assert [(step["name"], step["error"]) for step in report["steps"]] == [(step.name, None) for step in STEPS]
    assert (played.returncode, report["ok"]) == (0, True)
    [tenant] = await tenants_ever(stack) - before
    left = {
        table: count
        for table in TENANT_TABLES
        for [count] in await stack.rows(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant)  # noqa: S608
        if count and table not in KEPT
    }
    assert left == {}
    assert await stack.rows("SELECT id FROM tenants WHERE id = $1", tenant) == []
    assert await stack.rows("SELECT id FROM persons") == []
    assert await stack.rows("SELECT id FROM gateway_keys WHERE tenant_id = $1", tenant) == []
    assert [str(path) for path in stack.state.rglob(f"*{tenant}*")] == []
    assert [str(path) for path in stack.state.rglob("*") if path.is_file() and SAID.encode() in path.read_bytes()] == []
    await only_the_pool_is_left(stack)
    verified = stack.run("audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["ok"]


async def only_the_pool_is_left(stack: Stack) -> None:
    """Each folder, process and key of an instance belongs to one that waits for a customer."""

    async def holds() -> bool:
        known = {str(row["id"]) for row in await stack.rows("SELECT id FROM instances")}
        assigned = await stack.rows("SELECT instance_id FROM assignments")
        folders = {path.name for path in (stack.state / "instances").iterdir() if path.is_dir()}
        keys = await stack.rows("SELECT DISTINCT instance_id FROM gateway_keys WHERE revoked_at IS NULL")
        assert assigned == []
        assert folders <= known
        assert set(stack.assistants()) <= known
        assert {str(row["instance_id"]) for row in keys} <= known
        return len(known) == 1

    await eventually(holds, within_s=60, what="only the pool is left")
