"""`kontor migrate` says what is wrong with the database's address instead of falling over it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from kontor.billing.metering.usage import Tokens
from kontor.core.db import Database
from kontor.core.postgres import DatabaseUrls
from support.commands import Commands
from support.metered import Metered


async def test_a_migration_twice_changes_nothing(kontor: Commands) -> None:
    first, second = await kontor.run("migrate"), await kontor.run("migrate")

    assert (first.code, first.out) == (second.code, second.out) == (0, "The schema is at head.\n")


@pytest.mark.parametrize("url", ["nonsense", "mysql://one:two@127.0.0.1/kontor", "postgresql://one:two@127.0.0.1:xx/k"])
async def test_what_is_no_address_of_a_database_is_named(url: str, tmp_path: Path) -> None:
    kontor = Commands(DatabaseUrls(url, url, url, url), tmp_path)

    ended = await kontor.run("migrate")

    assert ended.code == 2
    assert "DATABASE_URL: is no address of a Postgres database" in ended.err


async def test_a_database_that_does_not_answer_is_named(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    owner = make_url(database_urls.owner)
    nobody = replace(database_urls, owner=owner.set(port=1).render_as_string(hide_password=False))
    unknown = replace(database_urls, owner=owner.set(database="nowhere").render_as_string(hide_password=False))

    refused = await Commands(nobody, tmp_path).run("migrate")
    missing = await Commands(unknown, tmp_path).run("migrate")

    for ended, name in ((refused, str(owner.database)), (missing, "nowhere")):
        assert ended.code == 1
        assert ended.refusal is not None
        assert f"No connection to database {name} on" in ended.refusal.sentence("en")
        assert "Check DATABASE_URL." in ended.refusal.sentence("en")


async def test_a_price_that_is_shipped_for_the_first_time_reaches_what_had_none(
    kontor: Commands, database: Database, tmp_path: Path
) -> None:
    metered = await Metered(database, tmp_path / "gateway").open()
    metered.call(datetime.now(UTC), Tokens(input=10), provider="builtin", model="kontor-demo")
    await metered.record()

    await kontor.run("migrate")

    assert await metered.costs() == [1_500]
    assert await metered.problems() == []
    await metered.close()
