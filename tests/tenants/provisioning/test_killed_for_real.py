"""`kill -9` of the worker around every step of a provisioning, with the real OpenClaw."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from kontor.billing.metering.model import GatewayKey
from kontor.core.db import Database
from kontor.core.postgres import DatabaseUrls
from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning import leases
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.model import Instance
from kontor.tenants.provisioning.runtime import Observed
from support.databases import MASTER_KEY
from support.places import open_folder
from support.tenants import a_tenant

pytestmark = [pytest.mark.openclaw, pytest.mark.xdist_group("openclaw")]

WORKER = Path(__file__).parents[2] / "support" / "dying_worker.py"
CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())
# Every boundary between two steps once: what is after one step is before the next, but for the wait of a start.
DEATHS = (
    ("Mint", "before"),
    ("Mint", "after"),
    ("Start", "after"),
    ("WriteFiles", "before"),
    ("WriteFiles", "after"),
    ("Note", "after"),
)
WITHIN_S = 120


@pytest.fixture
def instances() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "instances"
        stop_all(folder / "instances")


async def test_a_provisioning_whose_worker_is_killed_around_every_step_ends_with_one_of_everything(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path, instances: Path
) -> None:
    tenant = await a_tenant(database, active=True)
    codes = []

    for number, (step, moment) in enumerate([*DEATHS, (None, "")]):
        order = {
            "urls": asdict(database_urls),
            "keys": str(tmp_path / "keys"),
            "master_key": MASTER_KEY,
            "instances": str(instances),
            "cache": str(CACHE),
            "gateway_url": "http://127.0.0.1:1",
            "tenant": str(tenant),
            "step": step,
            "moment": moment,
            "ahead_s": number * leases.LEASE.total_seconds(),
        }
        codes.append(await _worked(order))

    # The last death is after the step that made it ready: its successor has nothing left to do.
    assert codes == [-signal.SIGKILL] * len(DEATHS) + [0]
    async with database.system_uow() as tx:
        instance = (await tx.scalars(select(Instance))).one()
        key = (await tx.scalars(select(GatewayKey))).one()
    runtime = LocalRuntime(instances, CACHE)
    seen = await runtime.observe_all()
    await runtime.close()
    assert (instance.phase, instance.restarts, key.tenant_id) == ("ready", 0, tenant)
    assert {one: look.state for one, look in seen.items()} == {instance.id: Observed.READY}
    assert len(_processes_below(instances)) == 1


async def _worked(order: dict[str, object]) -> int:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, str(WORKER), stdin=asyncio.subprocess.PIPE, env={**os.environ}
    )
    await asyncio.wait_for(worker.communicate(json.dumps(order).encode()), WITHIN_S)
    assert worker.returncode is not None
    return worker.returncode


def _processes_below(folder: Path) -> list[psutil.Process]:
    """Processes that work below the folder, without their children."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder):
                found[process.pid] = process
    return [process for process in found.values() if process.ppid() not in found]
