"""A tenant whose assistant is scripted."""

from collections.abc import AsyncIterator

import pytest

from kontor.core.db import Database
from support.serving import served
from support.talking import ScriptedInstance, Talk


@pytest.fixture
async def talk(database: Database) -> AsyncIterator[Talk]:
    """Active, and its assistant echoes."""
    instance = ScriptedInstance()
    with served(instance.app) as url:
        made = await Talk(database, instance, url).open()
        yield made
        await made.close()
