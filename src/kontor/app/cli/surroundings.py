"""The settings of a command: from the environment, completed by what `kontor up` runs on this machine."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from kontor.core.settings import Settings


def settings() -> "Settings":
    """From the environment; says what is missing."""
    from pydantic import ValidationError

    from kontor.app.cli.here import missing_settings
    from kontor.core.settings import Settings

    try:
        return Settings(**missing_settings())
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
            name = name if name.startswith(("DATABASE", "KONTOR")) else f"KONTOR_{name}"
            typer.echo(f"{name}: {problem['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from error
