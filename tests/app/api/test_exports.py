"""Exports over HTTP: asked for, watched, downloaded."""

import base64
import hashlib
from datetime import timedelta
from uuid import UUID

import httpx
from sqlalchemy import select

from kontor.core.clock import FixedClock
from kontor.core.ids import TenantId, decode
from kontor.tenants.leaving.build import sweep_exports
from kontor.tenants.leaving.model import Export
from support.exports import Content
from support.jobs import build_exports
from support.web import Web


async def test_an_export_is_asked_for_watched_and_downloaded(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        asked = await ada.post("/api/v1/exports")
        queued = (await ada.get(asked.headers["location"])).json()
        early = await ada.get(f"{asked.headers['location']}/download")
        await build_exports(web)
        ready = (await ada.get(asked.headers["location"])).json()
        download = await ada.get(f"{asked.headers['location']}/download")

    assert asked.status_code == 202
    assert asked.headers["location"] == f"/api/v1/exports/{asked.json()['id']}"
    assert (queued["state"], queued["progress"]) == ("queued", 0)
    assert (early.status_code, early.json()["code"]) == (409, "export.not_ready")
    assert (ready["state"], ready["progress"], ready["error"]) == ("ready", 100, None)
    assert ready["expires_at"] == "2026-11-30T09:00:00Z"
    assert download.headers["content-type"] == "application/zip"
    assert download.headers["content-disposition"] == 'attachment; filename="kontor-export-2026-11-23.zip"'
    digest = hashlib.sha256(download.content)
    assert digest.hexdigest() == ready["sha256"]
    assert download.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert len(download.content) == ready["size_bytes"] == int(download.headers["content-length"])
    content = Content(download.content)
    assert content.json("company.json")["legal_name"] == "Bäckerei Müller & Söhne GmbH"  # type: ignore[index]
    assert content.table("members.csv")[1][:2] == ["ada@example.org", "owner"]
    assert any(name.startswith("contracts/avv") for name in content.names())
    assert content.text("usage/usage.csv") == "date,model,input tokens,output tokens,cost\r\n"


async def test_a_second_request_by_any_of_the_three_addresses_gets_the_running_export(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")

        answers = [await ada.post(path) for path in ("/api/v1/exports", "/api/v1/export", "/api/export")]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1


async def test_exports_are_listed_by_pages_the_newest_first(web: Web) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        made = []
        for _ in range(3):
            made.append((await ada.post("/api/v1/exports")).json()["id"])
            await build_exports(web)

        first = (await ada.get("/api/v1/exports", params={"limit": 2})).json()
        second = (await ada.get("/api/v1/exports", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [one["id"] for one in (*first["items"], *second["items"])] == list(reversed(made))
    assert second["next_cursor"] is None


async def test_an_expired_export_is_gone(web: Web, clock: FixedClock) -> None:
    async with web.client() as ada:
        await web.active(ada, "ada@example.org")
        export = (await ada.post("/api/v1/exports")).headers["location"]
        await build_exports(web)
        clock.advance(timedelta(days=7))
        await sweep_exports(web.container.database, web.container.files)

        answer = await ada.get(f"{export}/download")

    assert (answer.status_code, answer.json()["code"]) == (410, "export.expired")


async def test_a_program_needs_the_scope_and_a_member_the_role(web: Web) -> None:
    async with web.client() as ada, web.client() as program:
        await web.active(ada, "ada@example.org")
        export, usage = [
            (await ada.post("/api/v1/api-keys", json={"name": "n", "scopes": [scope]})).json()["secret"]
            for scope in ("export", "usage")
        ]

        async def ask(secret: str) -> httpx.Response:
            return await program.post("/api/export", headers={"authorization": f"Bearer {secret}"})

        assert (await ask(export)).status_code == 202
        assert (await ask(usage)).status_code == 403


async def test_another_companys_export_is_not_there(web: Web) -> None:
    async with web.client() as ada, web.client() as bob:
        await web.active(ada, "ada@example.org")
        await web.active(bob, "bob@example.org")
        export = (await ada.post("/api/v1/exports")).headers["location"]
        await build_exports(web)

        seen = [await bob.get(export), await bob.get(f"{export}/download")]

        assert [answer.status_code for answer in seen] == [404, 404]
        assert (await bob.get("/api/v1/exports")).json()["items"] == []


async def test_an_export_whose_file_was_lost_is_told_by_the_status(web: Web) -> None:
    async with web.client() as ada:
        tenant = TenantId(decode("tnt", str((await web.active(ada, "ada@example.org"))["id"])))
        export = (await ada.post("/api/v1/exports")).headers["location"]
        await build_exports(web)
        async with web.container.database.uow(tenant) as tx:
            file = (await tx.scalars(select(Export.file))).one()
        await web.container.files.delete(UUID(str(tenant)), str(file))

        answer = await ada.get(f"{export}/download")

    assert answer.status_code == 410
