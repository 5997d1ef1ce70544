"""Taking one step: the remote call outside any transaction, and what came of it written back under the lease.

Each step may be cut off at any await. Before the remote call nothing is promised that the next look would not
repeat; after it, the next look sees what is and writes it down.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import assert_never
from uuid import UUID

import structlog

from kontor.core.crypto import new_secret
from kontor.core.db import Database, Tx
from kontor.tenants.ports import GatewayKeys
from kontor.tenants.provisioning import plan, records
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.model import Instance
from kontor.tenants.provisioning.plan import Facts, Step
from kontor.tenants.provisioning.runtime import Observation, Observed, Runtime, RuntimeFailure
from kontor.tenants.provisioning.secrets import TOKEN_PREFIX, Secrets, seal_secrets, warm
from kontor.tenants.states import Phase
from kontor.tenants.states import step as follow

log = structlog.get_logger(__name__)


class Hands:
    """Executes steps for one worker; `starts` is how many instances may be starting at the same time."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        keys: GatewayKeys,
        blueprint: Blueprint,
        *,
        worker: UUID,
        starts: int,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._keys = keys
        self._blueprint = blueprint
        self._worker = worker
        self._starts = starts

    async def take(self, todo: Step, facts: Facts, seen: Observation) -> None:
        """The step is done, or its failure is written down; nothing is, when the lease or the decision is gone."""
        try:
            await self._take(todo, facts, seen)
        except RuntimeFailure as failure:
            log.warning("instance.step_failed", step=type(todo).__name__, code=failure.code, instance=str(facts.id))
            await self.set_back(facts, failure.code, failure.detail, is_down=isinstance(todo, plan.Start))

    async def set_back(self, facts: Facts, code: str, detail: str | None, *, is_down: bool = False) -> None:
        """The try counts as failed, and the next one waits."""
        async with self._row(facts) as (tx, row):
            if row is not None:
                await records.set_back(tx, row, facts, code, detail, is_down=is_down)

    async def _take(self, todo: Step, facts: Facts, seen: Observation) -> None:  # noqa: C901, PLR0912 - one case per step
        match todo:
            case plan.Mint():
                await self._mint(facts)
            case plan.Start():
                await self._start(facts)
            case plan.WriteFiles(revision):
                await self._write_files(facts, revision)
            case plan.Note():
                await self._note(facts, seen)
            case plan.Fail(code, detail, stops):
                if stops:
                    await self._runtime.stop(facts.id)
                await self.set_back(facts, code, detail, is_down=True)
            case plan.Stop():
                await self._runtime.stop(facts.id)
                await self._saw(facts, Observed.STOPPED)
            case plan.Delete():
                await self._runtime.delete(facts.id)
                await self._saw(facts, Observed.ABSENT)
            case plan.Forget():
                await self._forget(facts)
            case plan.DropOwnKey():
                await self._drop_own_key(facts)
            case plan.Retry():
                await self._retry(facts)
            case plan.Wait():
                pass
            case _:
                assert_never(todo)

    async def _mint(self, facts: Facts) -> None:
        owner: UUID = facts.tenant or facts.id
        if facts.tenant is None and not facts.has_own_key:
            async with self._row(facts) as (_, row):
                if row is None:
                    return
                row.has_own_key = True
        if facts.tenant is None:
            await self._database.vault.create_key(facts.id)
        await warm(self._database.vault, owner)
        async with self._row(facts) as (tx, row):
            if row is None or row.token is not None:
                return
            key = await self._keys.issue(tx, facts.id)
            await seal_secrets(tx.vault, row, owner, Secrets(new_secret(TOKEN_PREFIX), key))
            if facts.tenant is not None:
                await self._keys.bind(tx, facts.id, facts.tenant)

    async def _start(self, facts: Facts) -> None:
        async with self._row(facts) as (tx, row):
            if row is None or not await records.claim_start(tx, row, facts, self._starts):
                return
        spec = await self._blueprint.spec(facts.id)
        await self._runtime.ensure(spec)

    async def _write_files(self, facts: Facts, revision: int) -> None:
        spec = await self._blueprint.spec(facts.id)
        await self._runtime.write_files(replace(spec, revision=revision))
        async with self._row(facts) as (_, row):
            if row is not None:
                row.applied_revision = max(row.applied_revision, revision)

    async def _note(self, facts: Facts, seen: Observation) -> None:
        async with self._row(facts) as (tx, row):
            if row is not None:
                await records.note(tx, row, facts, seen)

    async def _retry(self, facts: Facts) -> None:
        async with self._row(facts) as (_, row):
            if row is not None:
                row.phase = follow(Phase(row.phase), Phase.PROVISIONING)
                row.generation += 1
                records.forgive(row)

    async def _saw(self, facts: Facts, observed: Observed) -> None:
        async with self._row(facts) as (tx, row):
            if row is not None:
                records.see(tx, row, observed)
                row.endpoint = None
                if facts.phase is not Phase.FAILED:
                    records.forgive(row)

    async def _forget(self, facts: Facts) -> None:
        if facts.has_own_key:
            await self._database.vault.destroy_key(facts.id)
        async with self._row(facts) as (tx, row):
            if row is not None:
                await self._keys.revoke_instance(tx, facts.id)
                await records.remove(tx, row, facts)

    async def _drop_own_key(self, facts: Facts) -> None:
        await self._database.vault.destroy_key(facts.id)
        async with self._row(facts) as (_, row):
            if row is not None:
                row.has_own_key = False

    @asynccontextmanager
    async def _row(self, facts: Facts) -> AsyncIterator[tuple[Tx, Instance | None]]:
        async with self._database.system_uow() as tx:
            yield tx, await records.fenced(tx, self._worker, facts)
