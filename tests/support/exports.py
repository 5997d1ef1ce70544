"""Exports that a test asks for, has built and looks into."""

import csv
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.files import Files
from kontor.core.ids import ExportId, MessageId, TenantId, new_id
from kontor.core.jobs import Job
from kontor.tenants.leaving.build import ExportBuilder, sweep_exports
from kontor.tenants.leaving.export import BUILD_JOB, ExportView, fetch_export, read_export, request_export
from kontor.tenants.provisioning.runtime import Runtime
from kontor.tenants.talk import conversation
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.model import Channel, Message, Outcome, Speaker
from support.tenants import OWNER
from support.usage_records import FakeUsageRecords


class Exports:
    """What a tenant asks of exports, and what the worker does about it."""

    def __init__(self, database: Database, clock: FixedClock, runtime: Runtime, folder: Path) -> None:
        self.database = database
        self.clock = clock
        self.usage = FakeUsageRecords()
        self.store = folder / "files"
        self.files = Files(self.store.as_uri(), database.vault)
        self.scratch = folder / "scratch"
        self.builder = ExportBuilder(database, self.files, runtime, self.usage, self.scratch)

    async def ask(self, tenant: TenantId) -> ExportView:
        async with self.database.uow(tenant) as tx:
            return await request_export(tx, tenant, OWNER)

    async def look(self, tenant: TenantId, export: ExportId) -> ExportView:
        async with self.database.uow(tenant) as tx:
            return await read_export(tx, tenant, export)

    async def build(self, tenant: TenantId, export: ExportId) -> None:
        await self.builder(Job(BUILD_JOB, tenant, {"export": str(export)}))

    async def built(self, tenant: TenantId) -> ExportView:
        export = (await self.ask(tenant)).id
        await self.build(tenant, export)
        return await self.look(tenant, export)

    async def fetch(self, tenant: TenantId, export: ExportId) -> bytes:
        async with self.database.uow(tenant) as tx:
            stored = await fetch_export(tx, tenant, export, OWNER)
        return b"".join([chunk async for chunk in self.files.read(tenant, stored.file)])

    async def content(self, tenant: TenantId) -> "Content":
        export = await self.built(tenant)
        return Content(await self.fetch(tenant, export.id))

    async def sweep(self) -> int:
        return await sweep_exports(self.database, self.files)

    def stored(self) -> list[Path]:
        """Every file in the store, also of writes that were cut off."""
        return [path for path in self.store.rglob("*") if path.is_file()]

    async def say(self, tenant: TenantId, *said: tuple[Speaker, str], user: str | None = "anna") -> UUID:
        """A conversation of the tenant's."""
        async with self.database.uow(tenant) as tx:
            row = await conversation.find(tx, tenant, Origin(Channel.API, uuid4()), user=user, known=None)
            for speaker, text in said:
                await conversation.remember(tx, row, speaker, text, Outcome.COMPLETE)
        self.clock.advance(timedelta(milliseconds=1))  # ids are ordered by time
        return row.id


class Content:
    """An export, opened."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.zip = zipfile.ZipFile(io.BytesIO(data))

    def names(self) -> list[str]:
        return self.zip.namelist()

    def text(self, name: str) -> str:
        return self.zip.read(name).decode("utf-8")

    def json(self, name: str) -> object:
        return orjson.loads(self.zip.read(name))

    def table(self, name: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.text(name), newline="")))


async def many_messages(exports: Exports, tenant: TenantId, conversations: int, each: int) -> None:
    """A lot was said; the first message of each conversation by the product, the others as copies in bulk."""
    for number in range(conversations):
        identity = await exports.say(tenant, (Speaker.USER, "Nachricht 0"), user=f"user {number}")
        async with exports.database.uow(tenant) as tx:
            rows = []
            for seq in range(2, each + 1):
                message = MessageId(new_id())
                sealed = await tx.vault.seal(tenant, f"messages.content:{message}", f"Nachricht {seq - 1} 🦊")
                rows.append(
                    {
                        "id": message,
                        "tenant_id": tenant,
                        "conversation_id": identity,
                        "seq": seq,
                        "role": Speaker.USER if seq % 2 else Speaker.ASSISTANT,
                        "content": sealed,
                        "outcome": Outcome.COMPLETE,
                        "at": tx.now,
                    }
                )
            await tx.execute(insert(Message), rows)
