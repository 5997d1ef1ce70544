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


@pytest.fixture
async def pooled(fleet: Fleet) -> Fleet:
    """A fleet with one instance that waits, ready."""
    fleet.pool_size = 1
    fleet.reconciler = fleet.another()
    await fleet.reconcile()
    await fleet.settle()
    return fleet
