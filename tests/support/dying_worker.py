"""A worker in a process of its own that kills itself, as by `kill -9`, before or after a step of the reconciler.

Its order comes as JSON on standard input: the database's URLs, folders, `step` and `moment` of its death (or null:
it works until the assistant serves), and `ahead_s`, by how much its clock is ahead: so that the leases of workers who
died before it have expired.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from kontor.app.adapters import MeteredKeys
from kontor.app.assistant_dialects import AssistantDialects
from kontor.billing.metering.catalogue import Catalogue
from kontor.billing.plans import load as load_plans
from kontor.core.clock import SystemClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.db import Database
from kontor.core.ids import TenantId
from kontor.core.postgres import DatabaseUrls
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.view import assistant_view
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.local import LocalRuntime
from kontor.tenants.provisioning.plan import Facts, Step
from kontor.tenants.provisioning.pool import Making
from kontor.tenants.provisioning.reconcile import Reconciler
from kontor.tenants.provisioning.runtime import Observation
from kontor.tenants.provisioning.spec import RELEASE
from kontor.tenants.provisioning.steps import Hands
from kontor.tenants.sellers import load_sellers

MEMORY_MB = 900
EVERY_S = 0.2


class AheadClock(SystemClock):
    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


class MortalHands:
    def __init__(self, hands: Hands, step: str | None, moment: str) -> None:
        self._hands = hands
        self._step = step
        self._moment = moment

    async def take(self, todo: Step, facts: Facts, seen: Observation) -> None:
        self._die_if(todo, "before")
        await self._hands.take(todo, facts, seen)
        self._die_if(todo, "after")

    async def set_back(self, facts: Facts, code: str, detail: str | None) -> None:
        await self._hands.set_back(facts, code, detail)

    def _die_if(self, todo: Step, moment: str) -> None:
        if (type(todo).__name__, moment) == (self._step, self._moment):
            os.kill(os.getpid(), signal.SIGKILL)


async def main(order: dict[str, Any]) -> None:
    vault = Vault(FolderKeyStore(Path(order["keys"])), base64.b64decode(order["master_key"]))
    database = Database(DatabaseUrls(**order["urls"]), AheadClock(timedelta(seconds=order["ahead_s"])), vault)
    runtime = LocalRuntime(Path(order["instances"]), Path(order["cache"]))
    blueprint = Blueprint(database, load_sellers("http://kontor.example"), order["gateway_url"])
    keys, speaks = MeteredKeys(load_plans(), packaged()), AssistantDialects(Catalogue([]), packaged())
    making = Making("local", RELEASE, MEMORY_MB, 0)
    worker: Any = Reconciler(database, runtime, keys, blueprint, making, dialects=speaks)
    worker._hands = MortalHands(worker._hands, order["step"], order["moment"])
    tenant = TenantId(UUID(order["tenant"]))
    while True:
        await worker.run_once()
        async with database.uow(tenant) as tx:
            if (await assistant_view(tx, tenant)).is_serving:
                break
        await asyncio.sleep(EVERY_S)
    await runtime.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
