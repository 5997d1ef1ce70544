"""The built-in model once per test process; a gateway per test on the test's own database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from kontor.core.postgres import DatabaseUrls
from support.databases import in_database, roles_of, sql
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


@pytest.fixture(scope="session")
def shared_gateway(
    postgres: str, template: str, model_process: Process, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayRig]:
    """A gateway on a database of its own, for all tests that leave it running."""
    name = f"gateway_{uuid4().hex}"
    asyncio.run(sql(postgres, f"CREATE DATABASE {name} TEMPLATE {template}"))
    made = GatewayRig(roles_of(in_database(postgres, name)), model_process.url, tmp_path_factory.mktemp("gateway"))
    try:
        asyncio.run(made.open())
        yield made
    finally:
        asyncio.run(made.close())
    asyncio.run(sql(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def rig(shared_gateway: GatewayRig, model_process: Process) -> AsyncIterator[GatewayRig]:
    """A new tenant with its instance's key at the shared gateway."""
    made = GatewayRig(shared_gateway.urls, model_process.url, shared_gateway.folder, shared_gateway.gateway)
    try:
        await made.open()
        yield made
    finally:
        await made.close()


@pytest.fixture
async def own_rig(database_urls: DatabaseUrls, model_process: Process, tmp_path: Path) -> AsyncIterator[GatewayRig]:
    """A gateway, journal and database of the test's own, to be killed and starved."""
    made = GatewayRig(database_urls, model_process.url, tmp_path)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
