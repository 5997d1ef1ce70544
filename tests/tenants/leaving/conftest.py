"""Tenants with assistants on a runtime in memory, and what is needed to leave."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from support.erasures import Erasures
from support.exports import Exports
from support.fleet import Fleet


@pytest.fixture
async def fleet(database: Database, clock: FixedClock) -> AsyncIterator[Fleet]:
    """Nobody in it yet, no pool."""
    made = Fleet(database, clock)
    yield made
    await made.runtime.close()


@pytest.fixture
def exports(database: Database, clock: FixedClock, fleet: Fleet, tmp_path: Path) -> Exports:
    """Exports of the fleet's tenants."""
    return Exports(database, clock, fleet.runtime, tmp_path)


@pytest.fixture
def erasures(fleet: Fleet, exports: Exports, tmp_path: Path) -> Erasures:
    """Erasures of the fleet's tenants."""
    return Erasures(fleet, exports, tmp_path)
