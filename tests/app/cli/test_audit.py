"""The chains of the audit log, checked by the command line."""

import asyncpg

from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from kontor.core.postgres import DatabaseUrls
from support.commands import Commands
from support.tenants import a_tenant


async def test_untouched_chains_are_intact_also_without_their_keys(kontor: Commands, database: Database) -> None:
    tenant = await a_tenant(database, active=True)
    await database.vault.destroy_key(tenant)

    everything = await kontor.run("audit", "verify", "--json")
    one = await kontor.run("audit", "verify", encode(PREFIXES["tenant"], tenant))

    assert (everything.code, everything.json["ok"]) == (0, True)
    assert encode(PREFIXES["tenant"], tenant) in {chain["chain"] for chain in everything.json["chains"]}
    assert one.code == 0
    assert "intact" in one.out


async def test_a_changed_entry_is_found_and_ends_with_1(
    kontor: Commands, database: Database, database_urls: DatabaseUrls
) -> None:
    tenant = await a_tenant(database, active=True)
    whole = await kontor.run("audit", "verify", "operator")
    await _as_owner(
        database_urls, "UPDATE audit_entries SET action = 'nothing.happened' WHERE tenant_id = $1 AND seq = 1", tenant
    )

    ended = await kontor.run("audit", "verify", "--json")
    broken = [chain for chain in ended.json["chains"] if not chain["intact"]]

    assert whole.code == 0
    assert (ended.code, ended.json["ok"]) == (1, False)
    assert [chain["chain"] for chain in broken] == [encode(PREFIXES["tenant"], tenant)]
    assert broken[0]["verdict"] == "broken at entry 1: the entry was changed"


async def test_what_is_no_tenant_is_refused(kontor: Commands) -> None:
    ended = await kontor.run("audit", "verify", "nobody")

    assert ended.refusal is not None
    assert ended.refusal.code == "id.invalid"


async def _as_owner(urls: DatabaseUrls, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(urls.owner)
    await connection.execute(statement, *values)
    await connection.close()
