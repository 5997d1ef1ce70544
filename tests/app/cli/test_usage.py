"""What was metered, checked by the command line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kontor.billing.metering.model import UsageHour
from kontor.billing.metering.usage import Tokens
from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from support.commands import Commands
from support.metered import Metered
from support.tenants import a_tenant


async def test_sums_that_are_those_of_the_calls_pass(kontor: Commands, tmp_path: Path) -> None:
    ended = await kontor.run("usage", "verify", "--json")

    journal = {"folder": str(tmp_path / "journal"), "waiting": None}
    assert (ended.code, ended.json) == (0, {"ok": True, "differences": [], "journal": journal})
    assert "There is no journal at" in (await kontor.run("usage", "verify")).out


async def test_a_sum_without_calls_is_found_and_ends_with_1(kontor: Commands, database: Database) -> None:
    tenant = await a_tenant(database)
    async with database.system_uow() as tx:
        tx.add(
            UsageHour(
                tenant_id=tenant,
                hour=datetime(2026, 11, 23, 9, tzinfo=UTC),
                model="m",
                events=1,
                unpriced_events=0,
                estimated_events=0,
                input_tokens=10,
                cached_tokens=0,
                cache_write_tokens=0,
                output_tokens=5,
                reasoning_tokens=0,
                cost_nano=7,
            )
        )

    ended = await kontor.run("usage", "verify")

    assert ended.code == 1
    assert f"tenant {tenant}, hour 2026-11-23 09:00Z, model m" in ended.out


async def test_a_call_that_waits_in_the_journal_is_a_difference_until_it_is_recorded(
    kontor: Commands, database: Database, tmp_path: Path
) -> None:
    metered = await Metered(database, tmp_path / "journal").open()
    metered.call(datetime.now(UTC), Tokens(input=10))
    waiting = await kontor.run("usage", "verify")
    in_json = await kontor.run("usage", "verify", "--json")

    await metered.record()
    empty = await kontor.run("usage", "verify")
    await metered.close()

    assert (waiting.code, in_json.code, empty.code) == (1, 1, 0)
    assert "1 calls wait in the journal at" in waiting.out
    assert in_json.json["journal"]["waiting"] == 1
    assert "Every sum is that of its calls. No call waits in the journal at" in empty.out


@pytest.mark.parametrize("name", ["a.journal", ""])
async def test_a_journal_that_cannot_be_read_is_no_proof(kontor: Commands, tmp_path: Path, name: str) -> None:
    """A folder where a segment should be, and a file where the folder should be: nobody can read these."""
    folder = tmp_path / "journal"
    if name:
        (folder / name).mkdir(parents=True)
    else:
        folder.touch()

    ended = await kontor.run("usage", "verify")

    assert ended.code == 1
    assert f"the journal at {folder} cannot be read" in ended.out


async def test_a_journal_that_the_settings_name_must_be_there(kontor: Commands, tmp_path: Path) -> None:
    kontor.environment["KONTOR_JOURNAL_DIR"] = str(tmp_path / "elsewhere")

    missing = await kontor.run("usage", "verify")
    (tmp_path / "elsewhere").mkdir()
    there = await kontor.run("usage", "verify")

    assert (missing.code, there.code) == (1, 0)
    assert "check KONTOR_JOURNAL_DIR" in missing.out


async def test_unpriced_usage_is_shown_with_what_helps(kontor: Commands, database: Database, tmp_path: Path) -> None:
    assert "Every call has a cost." in (await kontor.run("usage", "unpriced")).out
    metered = await Metered(database, tmp_path / "journal").open()
    metered.call(datetime.now(UTC), Tokens(input=10, output=5), model="gpt-6")
    await metered.record()
    await metered.close()

    table = await kontor.run("usage", "unpriced")
    [found] = (await kontor.run("usage", "unpriced", "--json")).json

    assert "gpt-6" in table.out
    assert "kontor prices set openai gpt-6" in found["help"]
    assert (found["events"], found["input_tokens"], found["output_tokens"]) == (1, 10, 5)


async def test_a_providers_export_that_says_the_same_ends_with_0_and_another_one_with_1(
    kontor: Commands, database: Database, tmp_path: Path
) -> None:
    metered = await Metered(database, tmp_path / "journal").open()
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    metered.call(at, Tokens(input=1000, cached=10, output=200))
    await metered.record()
    await metered.close()
    export = tmp_path / "export.csv"
    export.write_text("day,model,input_tokens,output_tokens\n2026-11-22,gpt-4.1-mini-2025-04-14,1000,200\n")
    same = await kontor.run("usage", "reconcile", "openai", str(export))

    export.write_text("day,model,input_tokens,output_tokens\n2026-11-22,gpt-4.1-mini-2025-04-14,1000,250\n")
    other = await kontor.run("usage", "reconcile", "openai", str(export))
    tolerated = await kontor.run("usage", "reconcile", "openai", str(export), "--tolerance-pct", "20", "--json")

    assert (same.code, other.code, tolerated.code) == (0, 1, 0)
    assert "Every sum is the same." in same.out
    assert "plain, 2026-11-22 to 2026-11-22: 2 sums compared, 0 differ" in same.out
    assert [word for word in ("-50", "-20.00", "beyond") if word not in other.out] == []
    [differing] = [one for one in tolerated.json["compared"] if one["difference"] != "0"]
    assert (differing["measure"], differing["ours"], differing["theirs"]) == ("output_tokens", "200", "250")
    assert (differing["difference"], differing["pct"]) == ("-50", "-20")


async def test_a_file_that_cannot_be_read_is_refused_with_its_line(kontor: Commands, tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    export.write_text("day,model,input_tokens\n2026-11-22,m,many\n")

    broken = await kontor.run("usage", "reconcile", "openai", str(export))
    missing = await kontor.run("usage", "reconcile", "openai", str(tmp_path / "nowhere.csv"))
    export.write_text("day,model,input_tokens\n2026-11-22,m,1\n")
    tolerances = [
        (await kontor.run("usage", "reconcile", "openai", str(export), "--tolerance-pct", one)).code
        for one in ("some", "NaN", "-1", "0")
    ]

    assert broken.refusal is not None
    assert broken.refusal.sentence("en") == "Line 2 has no number in input_tokens: 'many'."
    assert (broken.code, missing.code) == (1, 2)
    assert tolerances == [2, 2, 2, 1]


async def test_usage_is_told_by_tenant_the_dearest_first(kontor: Commands, database: Database) -> None:
    assert "Nobody used anything." in (await kontor.run("usage", "tenants")).out
    made = [await a_tenant(database) for _ in range(2)]
    async with database.system_uow() as tx:
        for tenant, hour, cost in ((made[0], 12, 3), (made[0], 13, 4), (made[1], 12, 9)):
            tx.add(
                UsageHour(
                    tenant_id=tenant,
                    hour=datetime(2026, 11, 20, hour, tzinfo=UTC),
                    model="m",
                    events=2,
                    unpriced_events=1,
                    estimated_events=0,
                    input_tokens=10,
                    cached_tokens=0,
                    cache_write_tokens=0,
                    output_tokens=5,
                    reasoning_tokens=0,
                    cost_nano=cost * 1_000_000_000,
                )
            )
    days = ("--from", "2026-11-20", "--to", "2026-11-20")

    found = (await kontor.run("usage", "tenants", *days, "--json")).json
    table = await kontor.run("usage", "tenants", *days)
    wrong = [
        (await kontor.run("usage", "tenants", *typed)).code
        for typed in (("--from", "soon"), ("--from", "2026-11-21", "--to", "2026-11-20"))
    ]

    assert [(one["cost_eur"], one["calls"], one["unpriced_calls"]) for one in found] == [
        ("9.000000", 2, 1),
        ("7.000000", 4, 2),
    ]
    assert found[1]["tenant"] == encode(PREFIXES["tenant"], made[0])
    assert all(one["slug"] in table.out for one in found)
    assert wrong == [2, 2]
