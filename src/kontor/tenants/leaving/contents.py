"""What goes into an export: every file with its pieces, in the order in which they are written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import select

from kontor.core import sheets
from kontor.core.db import Database
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.contracts.model import Acceptance
from kontor.tenants.leaving import conversations, redact, transcripts
from kontor.tenants.leaving.conversations import Transcript
from kontor.tenants.leaving.ports import UsageRecords
from kontor.tenants.leaving.readme import readme
from kontor.tenants.leaving.volume import Volume
from kontor.tenants.lifecycle.assistant import AssistantText, read_assistant
from kontor.tenants.lifecycle.company import Company, company_of
from kontor.tenants.lifecycle.rows import instance_of, tenant_of
from kontor.tenants.people.members import MemberView, list_members
from kontor.tenants.provisioning.openclaw_config import as_text
from kontor.tenants.provisioning.openclaw_config import configuration as openclaw_configuration
from kontor.tenants.provisioning.runtime import Runtime
from kontor.tenants.provisioning.secrets import open_secrets

_BATCH: Final = 200
# From about this many messages on a file may pass 2 GiB, which a ZIP must know before.
_MANY: Final = 100_000
# The same of calls of the content log, of which each may be half a megabyte.
_MANY_CALLS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the export. `weight` is its share of the work; `units` how many pieces it has about."""

    path: str
    pieces: AsyncIterator[str]
    weight: int = 1
    units: int = 1
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class _Rows:
    company: Company
    assistant: AssistantText
    members: list[MemberView]
    contracts: list[tuple[dict[str, object], str]]
    usage_csv: str
    logged: int
    instance: InstanceId | None
    secrets: tuple[str, ...]


class Contents:
    """Everything of one tenant as of `transcript`'s instant. `folder` is private and goes after the export."""

    def __init__(
        self, database: Database, runtime: Runtime, usage: UsageRecords, transcript: Transcript, folder: Path
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._usage = usage
        self._transcript = transcript
        self._folder = folder
        self.missing: list[dict[str, str]] = []

    async def parts(self, tenant: TenantId) -> AsyncIterator[Part]:
        """One after the other. Raises Unavailable when the assistant's volume cannot be read just now."""
        rows = await self._rows(tenant)
        messages = await self._transcript.count()
        yield Part("README.txt", _one(readme(rows.company.legal_name, self._transcript.until)))
        yield Part("company.json", _one(_json(_company(rows))))
        for about, text in rows.contracts:
            yield Part(f"contracts/{about['kind']}-{about['version']}-{about['language']}.md", _one(text))
        yield Part("members.csv", _one(_members(rows.members)))
        yield Part("usage/usage.csv", _one(rows.usage_csv))
        if rows.logged:
            logged = self._usage.content(self._database, tenant, self._transcript.until)
            yield Part(
                "content-log/calls.jsonl", logged, weight=5, units=rows.logged, is_large=rows.logged > _MANY_CALLS
            )
        for path, pieces in (
            ("conversations/openai-chat.json", conversations.as_json(self._transcript.said())),
            ("conversations/openai-chat.jsonl", conversations.as_json_lines(self._transcript.said())),
            ("conversations/messages.csv", conversations.as_csv(self._transcript.said())),
        ):
            yield Part(path, pieces, weight=20, units=2 * messages, is_large=messages > _MANY)
        volume = Volume(self._runtime, rows.instance) if rows.instance else None
        async for part in self._prompts(rows, volume):
            yield part
        if volume is not None:
            async for part in self._transcripts(rows, volume, is_large=messages > _MANY):
                yield part

    async def _prompts(self, rows: _Rows, volume: Volume | None) -> AsyncIterator[Part]:
        found = await volume.configuration() if volume else None
        text = found or as_text(
            openclaw_configuration(
                port=18789, bind="lan", gateway_url="${LLM_GATEWAY_URL}", workspace="workspace", log_file="openclaw.log"
            )
        )
        yield Part("configuration/openclaw.json", _one(redact.configuration(rows.secrets, text)))
        yield Part("configuration/assistant.json", _one(_json({"display_name": rows.assistant.display_name})))
        yield Part("prompts/system-prompt.md", _one(rows.assistant.system_prompt))
        for name, content in (await volume.workspace() if volume else {}).items():
            yield Part(f"prompts/{name}", _one(redact.without(rows.secrets, content)))

    async def _transcripts(self, rows: _Rows, volume: Volume, *, is_large: bool) -> AsyncIterator[Part]:
        copy = await volume.copy_database(self._folder)
        if copy is not None:
            path = "assistant/transcripts.json"
            pieces = self._threaded(path, transcripts.pieces(copy), rows.secrets)
            yield Part(path, pieces, weight=20, units=0, is_large=is_large)

    async def _threaded(self, path: str, found: Iterator[str], secrets: tuple[str, ...]) -> AsyncIterator[str]:
        """Read off the event loop. What cannot be read is said to be missing; the rest of the export is complete."""
        while True:
            try:
                batch = await asyncio.to_thread(lambda: list(islice(found, _BATCH)))
            except transcripts.Unreadable as error:
                self.missing.append({"path": path, "reason": f"incomplete: {error}"})
                return
            if not batch:
                return
            for piece in batch:
                yield redact.without(secrets, piece)

    async def _rows(self, tenant: TenantId) -> _Rows:
        async with self._database.uow(tenant) as tx:
            row = await tenant_of(tx, tenant)
            acceptances = await tx.scalars(select(Acceptance).where(Acceptance.tenant_id == tenant))
            instance = await instance_of(tx, tenant)
            secrets = await open_secrets(tx.vault, instance) if instance else None
            return _Rows(
                company=await company_of(tx.vault, row),
                assistant=await read_assistant(tx, tenant),
                members=await list_members(tx, tenant),
                contracts=[
                    (_about(one), await tx.vault.open_text(tenant, f"acceptances.text:{one.id}", one.text))
                    for one in acceptances
                ],
                usage_csv=await self._usage.as_csv(tx, tenant),
                logged=await self._usage.note_content(tx, tenant),
                instance=InstanceId(instance.id) if instance else None,
                secrets=(secrets.token, secrets.gateway_key) if secrets else (),
            )


def _about(row: Acceptance) -> dict[str, object]:
    return {
        "kind": row.kind,
        "version": row.version,
        "language": row.language,
        "sha256": row.sha256,
        "accepted_at": row.accepted_at,
    }


def _company(rows: _Rows) -> dict[str, object]:
    return {**asdict(rows.company), "accepted_contracts": [about for about, _ in rows.contracts]}


def _members(members: list[MemberView]) -> str:
    lines = [sheets.row(("e-mail", "role", "since"))]
    lines += [sheets.row((one.email, str(one.role), one.since.isoformat())) for one in members]
    return "".join(lines)


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode() + "\n"


async def _one(text: str) -> AsyncIterator[str]:
    yield text
