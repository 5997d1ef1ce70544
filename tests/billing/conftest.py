"""Metered usage on the test's database, and routes over scripted providers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kontor.core.db import Database
from support.forwarding import Providers
from support.metered import Metered


@pytest.fixture
async def metered(database: Database, tmp_path: Path) -> AsyncIterator[Metered]:
    """A tenant with a key and a recorder; no price is known."""
    made = await Metered(database, tmp_path / "journal").open()
    yield made
    await made.close()


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[Providers]:
    """No deployments yet: `route` makes them."""
    async with AsyncExitStack() as stack:
        made = Providers(stack, tmp_path / "journal")
        try:
            yield made
        finally:
            await made.upstreams.close()
            made.journal.end()
