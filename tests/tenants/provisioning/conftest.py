"""A fleet of assistants on a runtime that the test holds in its hand."""

from collections.abc import AsyncIterator

import pytest

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from support.fleet import Fleet


@pytest.fixture
async def fleet(database: Database, clock: FixedClock) -> AsyncIterator[Fleet]:
    """Nobody in it yet, no pool."""
    made = Fleet(database, clock)
    yield made
    await made.runtime.close()
