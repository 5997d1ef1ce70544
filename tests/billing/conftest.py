"""Metered usage on the test's database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kontor.core.db import Database
from support.metered import Metered


@pytest.fixture
async def metered(database: Database, tmp_path: Path) -> AsyncIterator[Metered]:
    """A tenant with a key and a recorder; no price is known."""
    made = await Metered(database, tmp_path / "journal").open()
    yield made
    await made.close()
