"""Assistants by the command line."""

from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from support.commands import Commands
from support.talking import ready_assistant
from support.tenants import a_tenant


async def test_the_list_names_the_tenant_of_each_assistant(kontor: Commands, database: Database) -> None:
    tenant = await a_tenant(database, active=True)
    await ready_assistant(database, tenant, "http://127.0.0.1:1")

    found = (await kontor.run("instances", "--json")).json
    table = await kontor.run("instances")

    assert [(one["tenant"], one["phase"], one["observed"]) for one in found] == [
        (encode(PREFIXES["tenant"], tenant), "ready", "ready")
    ]
    assert found[0]["id"] in table.out
