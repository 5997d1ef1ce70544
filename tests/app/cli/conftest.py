"""The command line on the test's own database."""

from pathlib import Path

import pytest

from kontor.core.postgres import DatabaseUrls
from support.commands import Commands


@pytest.fixture
def kontor(database_urls: DatabaseUrls, tmp_path: Path) -> Commands:
    return Commands(database_urls, tmp_path)
