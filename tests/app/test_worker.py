"""The worker's process: what it does before anything else."""

from pathlib import Path

import pytest

from kontor.core.ids import ErasureId, TenantId, decode, new_id
from kontor.core.postgres import DatabaseUrls
from kontor.tenants.leaving.ports import Registered
from support.databases import MASTER_KEY
from support.eventually import eventually
from support.processes import Process, free_port
from support.web import Web


@pytest.fixture
def worker(database_urls: DatabaseUrls, tmp_path: Path) -> Process:
    """Not started yet."""
    port = free_port()
    env = {
        "KONTOR_WORKER_PORT": str(port),
        "KONTOR_RUNTIME": "fake",
        "KONTOR_POOL_SIZE": "0",
        "KONTOR_STATE_DIR": str(tmp_path),
        "KONTOR_CACHE_DIR": str(tmp_path / "cache"),
        "KONTOR_MASTER_KEY": MASTER_KEY,
        "DATABASE_URL": database_urls.owner,
    }
    return Process("kontor.app.cli", env, port, tmp_path / "log", "worker")


async def test_a_worker_repeats_an_erasure_that_a_restore_has_undone(web: Web, worker: Process) -> None:
    """Whether or not somebody ran `kontor migrate` after the restore."""
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org")
        tenant = TenantId(decode("tnt", str(company["id"])))
        await web.container.erasures.add(Registered(ErasureId(new_id()), tenant, web.container.clock.now(), ()))
        worker.start()
        try:

            async def is_gone() -> bool:
                return tenant not in await web.container.vault.owners()

            await eventually(is_gone, within_s=60)
            assert (await ada.get("/api/v1/tenant")).status_code in {401, 404}
        finally:
            assert worker.stop() == 0
    assert "erasure.repeated" in worker.log
