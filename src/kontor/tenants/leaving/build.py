"""Making an export: the job that writes the ZIP, and the schedule that deletes old ones.

The ZIP is sealed and stored as it is written. A try that is killed leaves a file that nobody points to; the next try
begins from scratch under a name of its own, and what it publishes is whole. Whoever has lost the export to a later
try stops at its next sign of progress.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson
import structlog
from sqlalchemy import select, update

from kontor.core import audit
from kontor.core.db import Database, Tx
from kontor.core.errors import Unavailable
from kontor.core.files import Files
from kontor.core.ids import PREFIXES, ExportId, TenantId, encode
from kontor.core.jobs import Job
from kontor.tenants.leaving.archive import Archive, safe_path
from kontor.tenants.leaving.contents import Contents, Part
from kontor.tenants.leaving.conversations import Transcript
from kontor.tenants.leaving.errors import GAVE_UP
from kontor.tenants.leaving.export import KEPT, RUNNING
from kontor.tenants.leaving.model import Export, ExportState
from kontor.tenants.leaving.ports import UsageRecords
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.provisioning.runtime import Runtime

log = structlog.get_logger(__name__)

MAX_TRIES: Final = 10
SILENT_AT_MOST: Final = timedelta(hours=1)
# Weights of all parts of a usual export, for the progress shown.
_WHOLE: Final = 100


class _Lost(Exception):
    """Another try, or an erasure, has the export now."""


class ExportBuilder:
    """The handler of BUILD_JOB. `scratch` is a private folder of this machine."""

    def __init__(self, database: Database, files: Files, runtime: Runtime, usage: UsageRecords, scratch: Path) -> None:
        self._database = database
        self._files = files
        self._runtime = runtime
        self._usage = usage
        self._scratch = scratch

    async def __call__(self, job: Job) -> None:
        """The export is ready, failed for good, or somebody else's. Raises what a later try may cure."""
        export = ExportId(UUID(job.args["export"]))
        if job.tenant is None:
            return
        attempt = _Attempt(self._database, job.tenant, export)
        if not await attempt.begin():
            return
        try:
            with scratch_folder(self._scratch, job.tenant) as folder:
                await self._build(attempt, _file(export, attempt.number), folder)
        except _Lost:
            await self._files.delete(job.tenant, _file(export, attempt.number))
            log.info("export.lost", export=str(export))
            return
        await _delete(self._files, job.tenant, export, attempt.number - 1)

    async def _build(self, attempt: "_Attempt", file: str, folder: Path) -> None:
        transcript = Transcript(self._database, attempt.tenant, attempt.started_at)
        contents = Contents(self._database, self._runtime, self._usage, transcript, folder)
        digest, size = sha256(), 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in _zip(contents, attempt):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        await self._files.write(attempt.tenant, file, counted())
        await attempt.publish(file, size, digest.hexdigest())


class _Attempt:
    """One try at one export: owns its row as long as no later try has begun."""

    def __init__(self, database: Database, tenant: TenantId, export: ExportId) -> None:
        self._database = database
        self._export = export
        self._shown = 0
        self.tenant = tenant
        self.number = 0

    async def begin(self) -> bool:
        """Whether there is something to do; the try is counted before it begins."""
        async with self._database.uow(self.tenant) as tx:
            state = await tx.scalar(select(Tenant.state).where(Tenant.id == self.tenant))
            row = await tx.scalar(
                select(Export).where(Export.tenant_id == self.tenant, Export.id == self._export).with_for_update()
            )
            if row is None or row.state not in RUNNING or state in {None, TenantState.ERASING}:
                return False
            if row.tries >= MAX_TRIES:
                await _give_up(tx, row)
                return False
            row.tries += 1
            row.state, row.step, row.progress, row.touched_at = ExportState.RUNNING, "", 0, tx.now
            self.number, self.started_at = row.tries, tx.now
        return True

    async def show(self, step: str, progress: int) -> None:
        """The tenant sees how far it is. Raises _Lost."""
        if progress == self._shown and progress > 0:
            return
        self._shown = progress
        async with self._database.uow(self.tenant) as tx:
            await self._change(tx, step=safe_path(step), progress=progress)

    async def publish(self, file: str, size: int, digest: str) -> None:
        """The export is ready to be fetched. Raises _Lost."""
        async with self._database.uow(self.tenant) as tx:
            await self._change(
                tx,
                state=ExportState.READY,
                step="",
                progress=100,
                file=file,
                size_bytes=size,
                sha256=digest,
                finished_at=tx.now,
                expires_at=tx.now + KEPT,
            )
            await audit.record(
                tx, audit.SYSTEM, "export.ready", target=self._target, tenant=self.tenant, data={"sha256": digest}
            )

    async def _change(self, tx: Tx, **values: object) -> None:
        mine = (
            Export.tenant_id == self.tenant,
            Export.id == self._export,
            Export.tries == self.number,
            Export.state == ExportState.RUNNING,
        )
        if (
            await tx.scalar(update(Export).where(*mine).values(touched_at=tx.now, **values).returning(Export.id))
            is None
        ):
            raise _Lost

    @property
    def _target(self) -> str:
        return encode(PREFIXES["export"], self._export)


async def _zip(contents: Contents, attempt: _Attempt) -> AsyncIterator[bytes]:
    archive, done = Archive(attempt.started_at), 0
    async for part in contents.parts(attempt.tenant):
        await attempt.show(part.path, min(99, done))
        async for chunk in archive.add(part.path, _watched(part, attempt, done), is_large=part.is_large):
            yield chunk
        done += part.weight
    manifest = orjson.dumps(
        {
            "format": "kontor-export/1",
            "created_at": attempt.started_at,
            "files": [asdict(entry) for entry in archive.entries],
            "missing": contents.missing,
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z,
    ).decode()
    async for chunk in archive.add("manifest.json", _text(manifest + "\n")):
        yield chunk
    yield archive.finish()


async def _watched(part: Part, attempt: _Attempt, done: int) -> AsyncIterator[str]:
    count = 0
    async for piece in part.pieces:
        yield piece
        count += 1
        if part.units > 0 and count % 500 == 0:
            share = part.weight * min(count, part.units) // part.units
            await attempt.show(part.path, min(99, (done + share) * 100 // _WHOLE))


async def _text(content: str) -> AsyncIterator[str]:
    yield content


@contextmanager
def scratch_folder(root: Path, tenant: TenantId) -> Iterator[Path]:
    """A private folder that is gone afterwards; what an earlier, killed try of the tenant left goes first."""
    sweep_scratch(root, tenant)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=f"{tenant}.", dir=root) as folder:
        yield Path(folder)


def sweep_scratch(root: Path, tenant: TenantId) -> None:
    """Nothing of the tenant's exports lies in the scratch folder."""
    for left in root.glob(f"{tenant}.*"):
        shutil.rmtree(left, ignore_errors=True)


def scratch_left(root: Path, tenant: TenantId) -> int:
    """How many folders of the tenant's exports lie in the scratch folder."""
    return len(list(root.glob(f"{tenant}.*")))


async def sweep_exports(database: Database, files: Files) -> int:
    """Exports that are past their time are expired and their files gone; those that stand still have failed.

    For a schedule; returns how many rows were changed. The file goes first: a row that says so is never wrong.
    """
    async with database.system_uow() as tx:
        is_old = (Export.state == ExportState.READY) & (Export.expires_at <= tx.now)
        is_stuck = Export.state.in_(RUNNING) & (Export.touched_at <= tx.now - SILENT_AT_MOST)
        query = select(Export.tenant_id, Export.id, Export.tries).where(is_old | is_stuck)
        due = [(TenantId(tenant), ExportId(export), tries) for tenant, export, tries in await tx.execute(query)]
    changed = 0
    for tenant, export, tries in due:
        try:
            await _delete(files, tenant, export, tries)
        except Unavailable as error:
            log.warning("export.not_deleted", export=str(export), code=error.code)
            continue
        async with database.uow(tenant) as tx:
            row = await tx.scalar(
                select(Export).where(Export.tenant_id == tenant, Export.id == export).with_for_update()
            )
            if row is None or row.tries != tries:
                continue
            if row.state == ExportState.READY:
                row.state, row.file = ExportState.EXPIRED, None
                target = encode(PREFIXES["export"], export)
                await audit.record(tx, audit.SYSTEM, "export.expired", target=target, tenant=tenant)
            else:
                await _give_up(tx, row)
            changed += 1
    return changed


async def _give_up(tx: Tx, row: Export) -> None:
    row.state, row.failure, row.finished_at = ExportState.FAILED, GAVE_UP, tx.now
    log.error("export.gave_up", export=str(row.id), tries=row.tries)
    target = encode(PREFIXES["export"], row.id)
    await audit.record(tx, audit.SYSTEM, "export.failed", target=target, tenant=TenantId(row.tenant_id))


async def _delete(files: Files, tenant: TenantId, export: ExportId, tries: int) -> None:
    """No file of the first `tries` tries is left."""
    for number in range(1, tries + 1):
        await files.delete(tenant, _file(export, number))


def _file(export: ExportId, number: int) -> str:
    return f"exports/{export}/{number}.zip"
