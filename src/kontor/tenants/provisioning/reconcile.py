"""The reconciler: makes the runtime so as the rows say, one step at a time, and writes back what is.

Owns the loop: look at everything, take leases on what needs a step, take steps until there is nothing to do, again.
What the step is: plan. How it is done: steps. Any number of workers may run it, and each may be killed at any line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import asyncpg
import structlog

from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.ids import InstanceId
from kontor.core.telemetry import bound
from kontor.tenants.ports import Dialects, GatewayKeys
from kontor.tenants.provisioning import leases, plan, records
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.nudge import CHANNEL
from kontor.tenants.provisioning.orphans import Orphans
from kontor.tenants.provisioning.plan import Facts, Wait, next_step
from kontor.tenants.provisioning.pool import Making, Pool
from kontor.tenants.provisioning.runtime import Observation, Observed, Runtime
from kontor.tenants.provisioning.sightings import Sighting, sightings
from kontor.tenants.provisioning.steps import Hands

log = structlog.get_logger(__name__)

TICK: Final = timedelta(seconds=2)
ROUNDS: Final = 5
MAX_STEPS: Final = 30
ABSENT: Final = Observation(Observed.ABSENT)

Watcher = Callable[[list[Sighting]], Awaitable[None]]


class Reconciler:
    """One worker's reconciler. `starts` is how many instances may be starting at the same time, over all workers.

    `tick` is how often it looks when nothing else happens: how long a crash can go unseen.
    `on_observation` is told once per pass what every assigned instance was seen doing.
    """

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        keys: GatewayKeys,
        blueprint: Blueprint,
        making: Making,
        *,
        dialects: Dialects,
        starts: int = 2,
        tick: timedelta = TICK,
        on_observation: Watcher | None = None,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._dialects = dialects
        self._pool = Pool(database, keys, dialects, making)
        self._worker = uuid4()
        self._hands = Hands(database, runtime, keys, blueprint, worker=self._worker, starts=starts)
        self._on_observation = on_observation
        self._tick = tick
        self._orphans = Orphans()
        self._at_work: dict[InstanceId, asyncio.Task[None]] = {}
        self._broken: set[InstanceId] = set()
        self._woken = asyncio.Event()
        self._stopping = False

    async def run_once(self) -> None:
        """Everything that is due has been done, or waits for something that only time or the runtime can bring."""
        async with self._renewing():
            for _ in range(ROUNDS):
                await self._pass()
                if not self._at_work:
                    return
                await asyncio.gather(*self._at_work.values())

    async def run(self) -> None:
        """Until stop(). Looks at once when a transaction nudges, when a step ends, and at every tick."""
        try:
            async with self._renewing(), self._listening():
                while not self._stopping:
                    self._woken.clear()
                    until = await self._look()
                    await self._sleep(until)
        finally:
            await self._let_go()

    def stop(self) -> None:
        """No new step begins; `run` returns when the leases are free for others."""
        self._stopping = True
        self._woken.set()

    async def _look(self) -> datetime | None:
        try:
            return await self._pass()
        except Unavailable as error:
            log.warning("reconcile.unavailable", code=error.code)
        except Exception:
            log.exception("reconcile.pass_failed")
        return None

    async def _pass(self) -> datetime | None:
        """Every instance that needs a step is being attended to; when to look again at the latest."""
        asked_at = self._database.clock.now()
        seen = await self._runtime.observe_all()
        survey = await self._survey()
        now = self._database.clock.now()
        todo: list[Facts] = []
        until: datetime | None = None
        for facts in survey.facts:
            step = next_step(facts, seen.get(facts.id, ABSENT), now)
            if not isinstance(step, Wait):
                todo.append(facts)
            elif step.until is not None:
                until = step.until if until is None else min(until, step.until)
        await self._attend_to(todo)
        for orphan in self._orphans.due(seen.keys(), [facts.id for facts in survey.facts], now):
            log.warning("orphan.removed", instance=str(orphan))
            await self._runtime.delete(orphan)
        if self._on_observation is not None:
            await self._on_observation(sightings(survey.facts, seen, asked_at))
        return until

    async def _survey(self) -> records.Survey:
        """All rows, after tenants were staffed, the pool filled and dialects changed where that was missing."""
        for _ in range(2):
            async with self._database.system_uow() as tx:
                survey = await records.survey(tx)
            changed = [await self._pool.staff(tenant) is not None for tenant in survey.unstaffed]
            if not self._pool.fits(survey.pool_releases) or any(changed):
                changed.append(await self._pool.keep_filled())
            changed.append(await self._speak(survey))
            if not any(changed):
                break
        return survey

    async def _speak(self, survey: records.Survey) -> bool:
        """Every row says the dialect in which its tenant's model is to be had; whether that was new."""
        is_new = False
        for (residency, dialect), instances in survey.speaking.items():
            wanted = self._dialects.dialect(residency)
            if wanted is not None and wanted != dialect:
                async with self._database.system_uow() as tx:
                    await records.speak(tx, instances, wanted, before=dialect)
                log.info("instances.dialect_changed", residency=residency, dialect=wanted, instances=len(instances))
                is_new = True
        return is_new

    async def _attend_to(self, todo: list[Facts]) -> None:
        # Assigned before pool: the order in which steps ask for a place among those that start.
        wanted = sorted((facts for facts in todo if facts.id not in self._at_work), key=lambda facts: not facts.tenant)
        if not wanted:
            return
        async with self._database.system_uow() as tx:
            leased = await leases.take(tx, self._worker, [facts.id for facts in wanted])
        for facts in wanted:
            if facts.id in leased:
                self._at_work[facts.id] = asyncio.create_task(self._attend(facts.id), name=f"instance {facts.id}")

    async def _attend(self, instance: InstanceId) -> None:
        """Steps are taken until there is none to take; then the lease is free."""
        with bound(instance=instance):
            try:
                for _ in range(MAX_STEPS):
                    if self._stopping or not await self._step(instance):
                        break
                async with self._database.system_uow() as tx:
                    await leases.release(tx, self._worker, [instance])
                self._woken.set()
            except Unavailable as error:
                log.warning("reconcile.unavailable", code=error.code)
            except Exception:
                # A fault of ours: the instance waits like after any failure, and the others go on.
                log.exception("reconcile.step_broken")
                self._broken.add(instance)
            finally:
                del self._at_work[instance]

    async def _step(self, instance: InstanceId) -> bool:
        """One step was taken; False when there was none, or the lease is lost."""
        async with self._database.system_uow() as tx:
            loaded = await records.load(tx, self._worker, instance)
        if loaded is None:
            return False
        seen = await self._runtime.observe(instance)
        step = next_step(loaded, seen, self._database.clock.now())
        if isinstance(step, Wait):
            return False
        if instance in self._broken:
            self._broken.discard(instance)
            await self._hands.set_back(loaded, "internal", None)
            return False
        log.info("instance.step", step=type(step).__name__, phase=loaded.phase, seen=seen.state)
        await self._hands.take(step, loaded, seen)
        return True

    async def _sleep(self, until: datetime | None) -> None:
        now = self._database.clock.now()
        longest = self._tick if until is None else max(plan.POLL, min(self._tick, until - now))
        try:
            async with asyncio.timeout(longest.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _let_go(self) -> None:
        """No task is left behind, and the successor need not wait for our leases to expire."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with self._database.system_uow() as tx:
                await leases.release(tx, self._worker)
        except Unavailable as error:
            log.warning("reconcile.leases_left", code=error.code)

    @asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        async with _in_background(self._renew()):
            yield

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(leases.RENEW_S)
            try:
                async with self._database.system_uow() as tx:
                    await leases.renew(tx, self._worker)
            except Unavailable as error:
                log.warning("reconcile.leases_not_renewed", code=error.code)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        async with _in_background(self._listen()):
            yield

    async def _listen(self) -> None:
        """Nudges wake the loop. While the connection is away, the tick alone does."""
        while True:
            try:
                connection = await asyncpg.connect(self._database.urls.system, timeout=5)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._woken.set())
                    self._woken.set()
                    await lost.wait()
                finally:
                    await connection.close(timeout=2)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("reconcile.not_listening", error=repr(error))
            await asyncio.sleep(TICK.total_seconds())


@asynccontextmanager
async def _in_background(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
