"""Usage over HTTP: by Berlin day and model, as JSON and CSV."""

import csv
import io
from datetime import UTC, datetime
from uuid import UUID

from kontor.billing.metering.model import UsageHour
from kontor.core.ids import decode
from support.web import Web


async def used(web: Web, tenant: UUID, hour: datetime, model: str, *, tokens: int, cost_nano: int = 0) -> None:
    async with web.container.database.system_uow() as tx:
        tx.add(
            UsageHour(
                tenant_id=tenant,
                hour=hour,
                model=model,
                events=1,
                unpriced_events=0,
                estimated_events=0,
                input_tokens=tokens,
                cached_tokens=0,
                cache_write_tokens=0,
                output_tokens=tokens // 10,
                reasoning_tokens=0,
                cost_nano=cost_nano,
            )
        )


def nov(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


async def test_usage_is_told_by_berlin_day_and_model_with_its_total(web: Web) -> None:
    async with web.client() as ada:
        tenant = decode("tnt", str((await web.active(ada, "ada@example.org"))["id"]))
        await used(web, tenant, nov(20, 22), "m", tokens=100, cost_nano=1_500_000)
        await used(web, tenant, nov(20, 23), "m", tokens=20)  # 00:00 on the 21st in Berlin
        await used(web, tenant, nov(21, 9), "n", tokens=30)

        answer = (await ada.get("/api/v1/usage")).json()

    assert (answer["from"], answer["to"]) == ("2026-11-01", "2026-11-23")
    rows = [(row["date"], row["model"], row["input_tokens"], row["output_tokens"]) for row in answer["rows"]]
    assert rows == [("2026-11-20", "m", 100, 10), ("2026-11-21", "m", 20, 2), ("2026-11-21", "n", 30, 3)]
    assert (answer["total"]["calls"], answer["total"]["input_tokens"]) == (3, 150)
    assert answer["total"]["cost_eur"] == "0.001500"


async def test_both_ends_of_a_range_are_within_it(web: Web) -> None:
    async with web.client() as ada:
        tenant = decode("tnt", str((await web.active(ada, "ada@example.org"))["id"]))
        for day in (18, 19, 20, 21):
            await used(web, tenant, nov(day, 12), "m", tokens=day)

        answer = (await ada.get("/api/v1/usage", params={"from": "2026-11-19", "to": "2026-11-20"})).json()

    assert [row["date"] for row in answer["rows"]] == ["2026-11-19", "2026-11-20"]


async def test_the_csv_has_the_five_columns_and_no_formula(web: Web) -> None:
    async with web.client() as ada:
        tenant = decode("tnt", str((await web.active(ada, "ada@example.org"))["id"]))
        await used(web, tenant, nov(20, 12), '=cmd|"/C calc"!A0', tokens=100, cost_nano=12_345_678)
        await used(web, tenant, nov(20, 12), 'größe, "8b"', tokens=7)

        answer = await ada.get("/api/v1/usage.csv")

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8"), newline="")))
    assert rows[0] == ["date", "model", "input tokens", "output tokens", "cost"]
    assert ["2026-11-20", '\'=cmd|"/C calc"!A0', "100", "10", "0.012346"] in rows
    assert ["2026-11-20", 'größe, "8b"', "7", "0", "0.000000"] in rows


async def test_another_companys_usage_is_not_told(web: Web) -> None:
    async with web.client() as ada, web.client() as bob:
        tenant = decode("tnt", str((await web.active(ada, "ada@example.org"))["id"]))
        await web.active(bob, "bob@example.org")
        await used(web, tenant, nov(20, 12), "m", tokens=100)

        answer = (await bob.get("/api/v1/usage")).json()

    assert answer["rows"] == []


async def test_a_range_that_is_upside_down_or_too_long_is_refused(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        reverse = await ada.get("/api/v1/usage", params={"from": "2026-11-20", "to": "2026-11-19"})
        long = await ada.get("/api/v1/usage.csv", params={"from": "2025-11-20", "to": "2026-11-22"})
        year = await ada.get("/api/v1/usage", params={"from": "2025-11-23", "to": "2026-11-23"})
        ancient = await ada.get("/api/v1/usage", params={"from": "0001-01-01", "to": "0001-01-02"})

    assert (reverse.status_code, reverse.json()["code"]) == (422, "usage.period")
    assert (long.status_code, long.json()["code"]) == (422, "usage.period")
    assert year.status_code == 200
    assert ancient.status_code == 422


async def test_an_api_key_needs_the_scope_for_usage(web: Web) -> None:
    async with web.client() as ada, web.client() as program:
        await web.active(ada, "ada@example.org")
        keys = [
            (await ada.post("/api/v1/api-keys", json={"name": "n", "scopes": [scope]})).json()
            for scope in ("usage", "chat")
        ]
        secrets = [key["secret"] for key in keys]

        allowed = await program.get("/api/v1/usage", headers={"authorization": f"Bearer {secrets[0]}"})
        refused = await program.get("/api/v1/usage", headers={"authorization": f"Bearer {secrets[1]}"})

    assert (allowed.status_code, refused.status_code) == (200, 403)
