"""Prices and rates by the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kontor.billing.metering.published_prices import SOURCE
from kontor.billing.metering.usage import Tokens
from kontor.core.clock import month_of
from kontor.core.db import Database
from support.commands import Commands
from support.metered import Metered


@pytest.fixture
async def metered(database: Database, tmp_path: Path) -> AsyncIterator[Metered]:
    made = await Metered(database, tmp_path / "gateway").open()
    yield made
    await made.close()


MINI = ("openai", "gpt-4.1-mini")
EUR = ("--input", "1", "--output", "2", "--currency", "EUR")


async def test_the_list_shows_what_is_valid_and_who_says_so(kontor: Commands) -> None:
    await kontor.run("migrate")

    table = await kontor.run("prices", "list")
    [found] = (await kontor.run("prices", "list", "--provider", "anthropic", "--json")).json

    assert table.code == 0
    assert "mistral-small-latest" in table.out
    assert found == {
        "provider": "anthropic",
        "model": "claude-haiku-4-5",
        "currency": "USD",
        "input": "1.00",
        "cached": "0.10",
        "cache_write": "1.25",
        "output": "5.00",
        "valid_from": "2026-01-01T00:00:00+00:00",
        "until": None,
        "source": "shipped",
    }


async def test_the_list_of_an_earlier_day_is_that_days(kontor: Commands) -> None:
    await kontor.run("migrate")

    assert (await kontor.run("prices", "list", "--at", "2025-12-31", "--json")).json == []
    assert len((await kontor.run("prices", "list", "--at", "2026-01-02T00:00:00Z", "--json")).json) == 5
    assert "kontor prices sync" in (await kontor.run("prices", "list", "--at", "2025-12-31")).out


async def test_a_price_that_is_set_reaches_usage_that_had_none(kontor: Commands, metered: Metered) -> None:
    metered.call(datetime.now(UTC), Tokens(input=10, output=5))
    await metered.record()
    month = month_of(datetime.now(UTC))

    done = await kontor.run("prices", "set", *MINI, *EUR, "--cached", "0.125", "--from", f"{month}-01", "--json")

    assert done.json["rerated"] == {"events": 1, "newly_priced": 1, "cost_nano": 20_000}
    assert (done.json["cached"], done.json["cache_write"]) == ("0.125", None)
    assert await metered.costs() == [20_000]
    assert await metered.problems() == []


async def test_people_read_how_many_calls_were_re_rated(kontor: Commands, metered: Metered) -> None:
    metered.call(datetime.now(UTC), Tokens(input=10, output=5))
    await metered.record()

    first = await kontor.run("prices", "set", *MINI, *EUR, "--from", f"{month_of(datetime.now(UTC))}-01")
    second = await kontor.run("prices", "rerate")

    assert "1 calls re-rated, 1 of them had no price; +0.000020 EUR." in first.out
    assert "Every call has the cost of its price and rate already" in second.out
    assert (await kontor.run("prices", "rerate", "--json")).json["events"] == 0


async def test_a_price_of_a_closed_month_is_refused_and_one_of_this_month_is_not(kontor: Commands) -> None:
    month = month_of(datetime.now(UTC))

    refused = await kontor.run("prices", "set", *MINI, *EUR, "--from", f"{month.previous()}-28")
    taken = await kontor.run("prices", "set", *MINI, *EUR, "--from", f"{month}-01")

    assert refused.code == 1
    assert refused.refusal is not None
    assert f"--from {month}-01" in refused.refusal.sentence("en")
    assert taken.code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", *MINI, "--input", "cheap", "--output", "1", "--currency", "EUR"),
        ("set", *MINI, *EUR, "--from", "tomorrow"),
        ("list", "--at", "2026-13-01"),
        ("rate", "set", "USD", "December", "0.87"),
        ("rate", "set", "USD", "2026-12", "0,87"),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_is_done(kontor: Commands, arguments: tuple[str]) -> None:
    assert (await kontor.run("prices", *arguments)).code == 2


async def test_a_sync_shows_what_it_found_and_a_second_one_changes_nothing(kontor: Commands) -> None:
    await kontor.run("migrate")

    first = await kontor.run("prices", "sync", "--json")
    again = await kontor.run("prices", "sync")

    assert {one["found"] for one in first.json["models"]} == {"unchanged", "skipped"}
    assert first.json["rerated"] is None
    assert "genai-prices does not know the provider builtin" in again.out
    assert "unchanged" in again.out


async def test_a_sync_leaves_an_operators_price_and_shows_both(kontor: Commands) -> None:
    await kontor.run("prices", "set", *MINI, *EUR)

    table = await kontor.run("prices", "sync")
    found = {one["model"]: one for one in (await kontor.run("prices", "sync", "--json")).json["models"]}

    assert "1.00 / 2.00 EUR (operator)" in table.out
    assert found["gpt-4.1-mini"]["found"] == "differs"
    assert (found["gpt-4.1-mini"]["input"], found["gpt-4.1-mini"]["before"]["input"]) == ("0.40", "1.00")


async def test_a_dry_sync_of_everything_writes_nothing_and_the_real_one_prices_usage(
    kontor: Commands, metered: Metered
) -> None:
    await kontor.run("migrate")
    await kontor.run("prices", "rate", "set", "USD", str(month_of(datetime.now(UTC))), "0.87")  # where none is shipped
    metered.call(datetime.now(UTC), Tokens(input=1_000_000), model="gpt-4.1")
    await metered.record()

    dry = await kontor.run("prices", "sync", "--all", "--dry-run", "--json")
    before = await metered.costs()
    done = await kontor.run("prices", "sync", "--json")

    assert len([one for one in dry.json["models"] if one["found"] == "new"]) > 50
    assert before == [None]
    [new] = [one for one in done.json["models"] if one["found"] == "new"]
    assert (new["model"], new["input"], done.json["rerated"]["newly_priced"]) == ("gpt-4.1", "2.00", 1)
    assert (await metered.costs())[0] is not None
    listed = (await kontor.run("prices", "list", "--provider", "openai", "--json")).json
    assert {one["model"]: one["source"] for one in listed}["gpt-4.1"] == SOURCE


async def test_a_rate_is_set_for_a_month_to_come_and_not_for_one_that_has_it(kontor: Commands) -> None:
    await kontor.run("migrate")
    month = month_of(datetime.now(UTC))
    far = month.next().next().next()

    done = await kontor.run("prices", "rate", "set", "chf", str(far), "1.0512", "--json")
    first = await kontor.run("prices", "rate", "set", "CHF", str(month), "1.05")
    second = await kontor.run("prices", "rate", "set", "CHF", str(month), "1.06")

    assert done.json | {"rerated": 0} == {
        "currency": "CHF",
        "month": str(far),
        "eur": "1.0512",
        "source": "ECB",
        "rerated": 0,
    }
    assert first.code == 0
    assert second.refusal is not None
    assert second.refusal.code == "price.rate_frozen"
    rates = (await kontor.run("prices", "rate", "list", "--json")).json
    assert [one["eur"] for one in rates if one["currency"] == "CHF"] == ["1.05", "1.0512"]
    assert "planning value" in (await kontor.run("prices", "rate", "list")).out


async def test_a_price_without_its_rate_names_the_command_that_sets_it(kontor: Commands) -> None:
    refused = await kontor.run("prices", "set", *MINI, "--input", "1", "--output", "1", "--currency", "USD")

    assert refused.refusal is not None
    assert "kontor prices rate set USD" in refused.refusal.sentence("en")


async def test_what_only_speaks_like_openai_does_not_get_openais_prices(kontor: Commands) -> None:
    kontor.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1"
    kontor.environment["KONTOR_MODEL"] = "gpt-4.1"
    elsewhere = await kontor.run("prices", "sync", "--dry-run", "--json")
    kontor.environment["OPENAI_BASE_URL"] = "https://api.openai.com/v1/"
    there = await kontor.run("prices", "sync", "--dry-run", "--json")

    assert elsewhere.json["models"] == []
    assert [one["model"] for one in there.json["models"]] == ["gpt-4.1"]
