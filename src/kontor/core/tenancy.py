"""Who may see which row: the declaration that every table carries, and the SQL that enforces it.

A table says in its `info` whether its rows are a tenant's or shared, and what each database role may do. From that
come forced row-level security, policies and grants; the migrations hold the same SQL as text, and a test reads the
live schema to find a table whose declaration and database differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import Column, MetaData, Table

from kontor.core.roles import APP, GATEWAY, OWNER, SYSTEM

ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
TENANT_SETTING: Final = "kontor.tenant_id"
# SET LOCAL reverts to an empty string, not NULL, on a connection that had it once.
CURRENT_TENANT: Final = f"nullif(current_setting('{TENANT_SETTING}', true), '')::uuid"
OF_TENANT: Final = f"tenant_id = {CURRENT_TENANT}"


@dataclass(frozen=True, slots=True)
class Access:
    """What a table declares: rights per role, and the condition under which `kontor_app` sees a row."""

    of_tenant: bool
    app: str
    gateway: str
    system: str
    visible: str
    why: str = ""


def tenant_table(*, app: str = ALL, gateway: str = "", system: str = ALL) -> dict[str, dict[str, Access]]:
    """Rows belong to the tenant in their `tenant_id`; `kontor_app` sees only the transaction's tenant."""
    return {"info": {"access": Access(of_tenant=True, app=app, gateway=gateway, system=system, visible=OF_TENANT)}}


def shared_table(
    *, why: str, app: str = "", gateway: str = "", system: str = ALL, visible: str = "false"
) -> dict[str, dict[str, Access]]:
    """Rows belong to no single tenant. `why` says so; `visible` is SQL that limits what `kontor_app` sees."""
    return {
        "info": {"access": Access(of_tenant=False, app=app, gateway=gateway, system=system, visible=visible, why=why)}
    }


def visible_through(join: str, column: str, own: str) -> str:
    """SQL: a shared row is visible to a tenant that has a row in `join` whose `column` names it."""
    return f"EXISTS (SELECT 1 FROM {join} j WHERE j.{column} = {own} AND j.{OF_TENANT})"  # noqa: S608 - our own names


def personal(*, sealed: bool, why: str = "") -> dict[str, object]:
    """Marks a column as personal data: sealed under its owner's data key, or in the clear for a stated reason."""
    if not sealed and not why:
        raise ValueError("a personal column in the clear needs its reason")
    return {"personal": "sealed" if sealed else why}


def access_of(table: Table) -> Access:
    """The table's declaration. Raises KeyError for a table without one."""
    return cast("Access", table.info["access"])


def personal_columns(metadata: MetaData) -> Iterator[Column[object]]:
    """Every column that is marked as personal data."""
    for table in metadata.sorted_tables:
        yield from (column for column in table.columns if "personal" in column.info)


def policy_names(table: Table) -> set[str]:
    """The policies that the table must have in the database."""
    access = access_of(table)
    names = {"owner_migrates", "system_sees"}
    if access.app:
        names.add("app_sees_own")
    if access.gateway:
        names.add("gateway_meters")
    return names


def statements(table: Table) -> list[str]:
    """SQL that makes the declaration true for a table that `kontor_owner` has just created."""
    access = access_of(table)
    name = table.name
    sql = [
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY owner_migrates ON {name} TO {OWNER} USING (true) WITH CHECK (true)",
        f"CREATE POLICY system_sees ON {name} TO {SYSTEM} USING (true) WITH CHECK (true)",
        f"GRANT {access.system} ON {name} TO {SYSTEM}",
    ]
    if access.app:
        sql.append(f"CREATE POLICY app_sees_own ON {name} TO {APP} USING ({access.visible})")
        sql.append(f"GRANT {access.app} ON {name} TO {APP}")
    if access.gateway:
        sql.append(f"CREATE POLICY gateway_meters ON {name} TO {GATEWAY} USING (true) WITH CHECK (true)")
        sql.append(f"GRANT {access.gateway} ON {name} TO {GATEWAY}")
    return sql
