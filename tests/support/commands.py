"""Commands of `kontor` on a test's database, as an operator types them."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from kontor.app.cli.main import app
from kontor.core.errors import DomainError
from kontor.core.postgres import DatabaseUrls
from support.databases import MASTER_KEY


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    refusal: DomainError | None

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """`kontor ...` on one database; `folder` holds its data keys."""

    def __init__(self, urls: DatabaseUrls, folder: Path) -> None:
        self.environment = {
            "DATABASE_URL": urls.owner,
            "KONTOR_STATE_DIR": str(folder),
            "KONTOR_MASTER_KEY": MASTER_KEY,
            "COLUMNS": "200",
        }

    async def run(self, *arguments: str, stdin: str | None = None) -> Ended:
        """Ends when the command does."""
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, input=stdin, env=self.environment)
        refusal = result.exception if isinstance(result.exception, DomainError) else None
        if refusal is None and result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(1 if refusal else result.exit_code, result.stdout, result.stderr, refusal)
