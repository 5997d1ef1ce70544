"""Tenants by the command line."""

from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from support.commands import Commands
from support.tenants import a_tenant


async def test_the_list_shows_slug_and_state_to_people_and_everything_to_machines(
    kontor: Commands, database: Database
) -> None:
    active = encode(PREFIXES["tenant"], await a_tenant(database, active=True))
    await a_tenant(database, legal_name="Gärtnerei Weiß")

    table = await kontor.run("tenants", "list")
    found = await kontor.run("tenants", "list", "--json", "--state", "active")

    assert table.code == found.code == 0
    assert "gaertnerei-weiss" in table.out
    assert "onboarding" in table.out
    assert [(one["id"], one["state"], one["plan"]) for one in found.json] == [(active, "active", "starter")]


async def test_an_empty_list_says_so(kontor: Commands) -> None:
    assert "There is no such tenant." in (await kontor.run("tenants", "list")).out
    assert (await kontor.run("tenants", "list", "--json")).json == []


async def test_a_tenant_is_shown_by_slug_and_by_id(kontor: Commands, database: Database) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(database))

    by_id = (await kontor.run("tenants", "show", tenant, "--json")).json
    by_slug = (await kontor.run("tenants", "show", by_id["slug"], "--json")).json
    shown = await kontor.run("tenants", "show", tenant)

    assert by_slug == by_id
    assert by_id["id"] == tenant
    assert tenant in shown.out


async def test_an_unknown_tenant_is_refused_with_what_to_do(kontor: Commands) -> None:
    ended = await kontor.run("tenants", "show", "nobody")

    assert ended.refusal is not None
    assert ended.refusal.sentence("en") == "There is no tenant 'nobody'. See the list: kontor tenants list"


async def test_a_tenant_is_suspended_and_resumed(kontor: Commands, database: Database) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(database, active=True))

    suspended = (await kontor.run("tenants", "suspend", tenant, "--why", "acceptable_use", "--json")).json
    resumed = (await kontor.run("tenants", "resume", tenant, "--json")).json

    assert (suspended["state"], suspended["suspended_for"]) == ("suspended", "acceptable_use")
    assert (resumed["state"], resumed["suspended_for"]) == ("active", None)


async def test_a_reason_that_there_is_not_and_a_tenant_that_is_not_active_are_refused(
    kontor: Commands, database: Database
) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(database))

    unknown = await kontor.run("tenants", "suspend", tenant, "--why", "mood")
    too_early = await kontor.run("tenants", "suspend", tenant)

    assert unknown.code == 2
    assert too_early.refusal is not None
    assert too_early.refusal.code == "tenant.not_possible"


async def test_a_deletion_wants_the_slug_typed_and_gives_the_receipt(kontor: Commands, database: Database) -> None:
    tenant = encode(PREFIXES["tenant"], await a_tenant(database, active=True))

    mistyped = await kontor.run("tenants", "delete", tenant, stdin="something-else\n")
    untouched = (await kontor.run("tenants", "show", tenant, "--json")).json
    receipt = await kontor.run("tenants", "delete", tenant, "--json", "--yes")
    again = await kontor.run("tenants", "delete", tenant, "--json", stdin=f"{untouched['slug']}\n")

    assert (mistyped.code, untouched["state"]) == (1, "active")
    assert receipt.json["erasure"].startswith("era_")
    assert receipt.json["token"] in again.out
    assert (await kontor.run("tenants", "show", tenant, "--json")).json["state"] == "erasing"
