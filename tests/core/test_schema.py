"""The live schema against the models: whose rows, which policy, which columns are personal, who sees all tenants."""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import LargeBinary

import kontor
from kontor.app.schema import METADATA
from kontor.core import roles, tenancy
from support.databases import in_database, sql

SOURCE = Path(kontor.__file__).parent
# Rows of the first two outlive the tenant on purpose: nothing in them names anybody once its data key is destroyed.
# Billing's own do not know the tenants' tables.
WITHOUT_FOREIGN_KEY = {
    "audit_entries",
    "audit_heads",
    "budgets",
    "content_entries",
    "content_logs",
    "gateway_refusals",
    "policy_alerts",
    "policy_hits",
    "rate_limits",
    "rate_windows",
}
# Whoever may look across tenants. A new caller is a decision: add it here with its reason.
SYSTEM_UOW_CALLERS = {
    "core/db.py": "declares it",
    "core/jobs.py": "counts starts of jobs",
    "core/mail.py": "sends mail, to persons too who have no tenant",
    "app/http/deps.py": "finds out who calls",
    "app/http/idempotency.py": "keys belong to a credential, not to a tenant",
    "app/api/erasures.py": "shows the proof of a tenant that is gone to whoever holds its receipt",
    "app/api/access.py": "sign-up, login and the own account come before any tenant",
    "app/api/company.py": "a company that is being created is nobody's tenant yet",
    "app/api/people.py": "an invitation is opened by who is no member yet",
    "app/portal/routes/account.py": "a session is a person's",
    "app/portal/routes/home.py": "a person switches between its companies",
    "app/portal/routes/leaving.py": "shows the proof of a tenant that is gone to whoever holds its receipt",
    "app/portal/routes/ops.py": "operators see all tenants",
    "app/portal/routes/team.py": "an invitation is opened by who is no member yet",
    "app/portal/routes/onboarding.py": "a company that is being created is nobody's tenant yet",
    "app/portal/routes/page.py": "the frame names all companies of the person",
    "app/portal/routes/public.py": "sign-up, login and the own account come before any tenant",
    "app/cli/audit.py": "verifies the chains of all tenants",
    "app/cli/instances.py": "operators see all instances",
    "app/cli/prices.py": "prices belong to no tenant",
    "app/cli/providers.py": "outages of providers belong to no tenant",
    "app/cli/tenants.py": "operators see all tenants",
    "app/cli/usage.py": "compares the usage of all tenants",
    "app/ops/policy.py": "operators see all tenants",
    "app/ops/instances.py": "operators see all instances",
    "app/ops/tenants.py": "operators see all tenants",
    "app/ops/usage.py": "operators see the usage of all tenants",
    "app/cli/main.py": "prices belong to no tenant",
    "app/reactions.py": "a key's state belongs to the gateway, which knows no tenant setting",
    "app/worker.py": "sweeps what has expired",
    "billing/metering/partitions.py": "months belong to no tenant",
    "billing/metering/rerate.py": "re-rates the usage of all tenants",
    "billing/metering/content/entries.py": "lists the tenants whose retention is due",
    "billing/metering/hit_alerts.py": "looks at the hits of all tenants",
    "billing/metering/budgets/alerts.py": "looks at the budgets of all tenants",
    "tenants/leaving/build.py": "sweeps expired exports of all tenants",
    "tenants/leaving/eraser.py": "erases a tenant with everything that is not only its own",
    "tenants/leaving/replay.py": "erases anew what a restore brought back",
    "tenants/leaving/rows.py": "counts what is left of a tenant in every table",
    "tenants/people/members.py": "an invitation is accepted by who is no member yet",
    "tenants/people/operators.py": "operators have no tenant",
    "tenants/people/reset.py": "a password is a person's",
    "tenants/people/sessions.py": "a session is a person's",
    "tenants/people/sign_up.py": "there is no tenant yet",
    "tenants/provisioning/blueprint.py": "instances of the pool have no tenant",
    "tenants/provisioning/pool.py": "the pool is nobody's, and assigns across tenants",
    "tenants/provisioning/reconcile.py": "reconciles all instances",
    "tenants/provisioning/steps.py": "reconciles all instances",
    "tenants/talk/retention.py": "lists the tenants whose retention is due",
}

TABLES = METADATA.sorted_tables
TENANT_TABLES = [table for table in TABLES if tenancy.access_of(table).of_tenant]
# A name like one of these holds something about a person, unless the model says why not.
SUSPICIOUS = ("email", "name", "address", "street", "phone", "agent", "prompt", "content", "label", "profile", "text")


on_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def schema_url(postgres: str, template: str) -> Iterator[str]:
    """A database of this module's own: what is looked at here is not changed."""
    asyncio.run(sql(postgres, f"CREATE DATABASE schema_only TEMPLATE {template}"))
    yield in_database(postgres, "schema_only")
    asyncio.run(sql(postgres, "DROP DATABASE schema_only WITH (FORCE)"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(schema_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(schema_url)
    yield connection
    await connection.close()


@on_one_loop
async def test_every_table_is_declared_and_no_table_is_unknown(live: asyncpg.Connection) -> None:
    rows = await live.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    )
    tables = {row["relname"] for row in rows if not row["relname"].startswith("pgqueuer")} - {"alembic_version"}

    assert tables == {table.name for table in TABLES}


@on_one_loop
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_row_level_security_is_forced_and_the_policies_are_the_declared_ones(
    live: asyncpg.Connection, table: object
) -> None:
    name = table.name  # type: ignore[attr-defined]
    flags = await live.fetchrow("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = $1", name)
    policies = {
        row["policyname"] for row in await live.fetch("SELECT policyname FROM pg_policies WHERE tablename = $1", name)
    }

    assert tuple(flags) == (True, True)
    assert policies == tenancy.policy_names(METADATA.tables[name])


@on_one_loop
@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
async def test_a_tenant_table_has_the_tenant_its_foreign_key_and_an_index_on_it(
    live: asyncpg.Connection, table: object
) -> None:
    name = table.name  # type: ignore[attr-defined]
    column = METADATA.tables[name].columns["tenant_id"]
    assert not column.nullable
    if name not in WITHOUT_FOREIGN_KEY and not name.startswith("usage_"):
        assert any("tenant_id" in key.column_keys for key in METADATA.tables[name].foreign_key_constraints)

    first_columns = await live.fetch(
        "SELECT (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[k]) AS col "
        "FROM pg_index i, generate_series(0, 1) k WHERE i.indrelid = $1::regclass",
        name,
    )
    assert "tenant_id" in {row["col"] for row in first_columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_column_that_sounds_personal_is_marked_and_a_sealed_one_holds_bytes(table: object) -> None:
    for column in METADATA.tables[table.name].columns:  # type: ignore[attr-defined]
        mark = column.info.get("personal")
        if mark == "sealed":
            assert isinstance(column.type, LargeBinary), column
        suspicious = column.name in SUSPICIOUS or column.name.split("_")[0] in SUSPICIOUS
        if suspicious and mark is None:
            assert (column.table.name, column.name) in NOT_PERSONAL, f"{column} looks personal: mark it in the model"


NOT_PERSONAL = {
    ("job_runs", "name"),  # of a job
    ("gateway_keys", "content_key"),  # a public key
}


@on_one_loop
async def test_each_role_has_only_the_rights_that_the_model_gives(live: asyncpg.Connection) -> None:
    for table in TABLES:
        access = tenancy.access_of(table)
        for role, declared in ((roles.APP, access.app), (roles.GATEWAY, access.gateway)):
            allowed = {right.strip() for right in declared.split(",") if right.strip()}
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
                has = await live.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table.name, right)
                assert has == (right in allowed), f"{role} {right} {table.name}"


def test_only_known_places_look_across_tenants() -> None:
    callers = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Attribute) and node.attr == "system_uow" for node in ast.walk(tree)):
            callers.add(str(path.relative_to(SOURCE)))

    assert callers == set(SYSTEM_UOW_CALLERS), "a new caller of system_uow needs its reason in SYSTEM_UOW_CALLERS"
