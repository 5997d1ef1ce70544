"""Fixtures that every test may use: one Postgres per test process, one fresh migrated database per test."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kontor.core.clock import FixedClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.db import Database
from kontor.core.embedded.postgres import EmbeddedPostgres
from kontor.core.migrate import migrate_async
from kontor.core.postgres import DatabaseUrls
from support.databases import MASTER_KEY, TestDatabase, in_database, roles_of, sql
from support.places import open_folder
from support.web import Web, settings_for

TEMPLATE = "kontor_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The superuser's URL of a Postgres of this test process; gone with it."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, durable=False)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """A migrated database that each test copies."""

    async def make() -> None:
        await sql(postgres, f"CREATE DATABASE {TEMPLATE}")
        await migrate_async(roles_of(in_database(postgres, TEMPLATE)))

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture(scope="session")
def test_database(postgres: str, template: str) -> TestDatabase:
    """What `database_urls` hands out."""
    return TestDatabase(postgres, template)


@pytest.fixture
def database_urls(test_database: TestDatabase) -> Iterator[DatabaseUrls]:
    """The roles' URLs of a migrated, empty database; emptied after the test."""
    yield roles_of(asyncio.run(test_database.take()))
    asyncio.run(test_database.give_back())


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands on a Monday morning in November 2026."""
    return FixedClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault over a key store in the test's folder."""
    return Vault(FolderKeyStore(tmp_path / "keys"), base64.b64decode(MASTER_KEY))


@pytest.fixture
async def database(database_urls: DatabaseUrls, clock: FixedClock, vault: Vault) -> AsyncIterator[Database]:
    """A fresh database with the roles' engines."""
    made = Database(database_urls, clock, vault, pool_size=5)
    yield made
    await made.close()


os.environ.pop("DATABASE_URL", None)  # a test never touches a database that it did not start
# A test speaks TLS to nobody whom the world's authorities vouch for, and every client would read them all: 30 ms.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull


@pytest.fixture
async def web(database_urls: DatabaseUrls, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Web]:
    """The API on a fresh database, in the test's process, on the test's clock."""
    made = Web(settings_for(database_urls, tmp_path, MASTER_KEY), clock)
    yield made
    await made.container.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts assistants comes first: it takes longest, and the many short tests fill the other processes."""
    items.sort(key=lambda item: item.get_closest_marker("openclaw") is None)
