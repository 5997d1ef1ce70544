"""The built-in model once per test process; a gateway per test on the test's own database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kontor.core.db import DatabaseUrls
from support.gateway import MASTER_KEY, GatewayRig
from support.processes import CONTROL_TOKEN, ModelControl, Process, free_port


@pytest.fixture(scope="session")
def model_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The built-in model with its controls."""
    port, folder = free_port(), tmp_path_factory.mktemp("model")
    env = {
        "KONTOR_MODEL_PORT": str(port),
        "KONTOR_MODEL_CONTROL_TOKEN": CONTROL_TOKEN,
        "KONTOR_MASTER_KEY": MASTER_KEY,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    process = Process("kontor.app.model.server", env, port, folder / "log").start()
    yield process
    process.stop()


@pytest.fixture
def model(model_process: Process) -> ModelControl:
    """Its controls."""
    return ModelControl(model_process.url)


@pytest.fixture
def marker() -> str:
    """A word that only this test's questions hold."""
    return f"marker-{uuid4().hex}"


@pytest.fixture
async def rig(database_urls: DatabaseUrls, model_process: Process, tmp_path: Path) -> AsyncIterator[GatewayRig]:
    """A running gateway in front of the built-in model, and one tenant with its instance's key."""
    made = GatewayRig(database_urls, model_process.url, tmp_path)
    await made.open()
    yield made
    await made.close()
