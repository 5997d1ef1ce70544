"""Instants as an operator types them."""

from datetime import date, datetime

import typer

from kontor.core.clock import BERLIN, day_start


def instant(typed: str | None, option: str) -> datetime | None:
    """A day is its beginning in Berlin, a time without a zone is Berlin's. Raises BadParameter for anything else."""
    if typed is None:
        return None
    try:
        if "T" not in typed and " " not in typed:
            return day_start(date.fromisoformat(typed))
        at = datetime.fromisoformat(typed)
        return at if at.tzinfo else at.replace(tzinfo=BERLIN)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            "a day (2026-12-01) or an instant (2026-12-01T08:00:00Z)", param_hint=option
        ) from error
