"""`kontor policy`: what the acceptable-use policy refused."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.app.ops.policy import HitsLine

app = typer.Typer(help="What the acceptable-use policy refused.", no_args_is_help=True)

COLUMNS: Final = {"slug": "tenant", "category": "category", "hits": "refused", "last": "last on"}


@app.callback()
def policy() -> None:
    """What the acceptable-use policy refused."""


@app.command()
def hits(
    *,
    tenant: Annotated[str | None, typer.Option(help="slug or id (tnt_...) of one tenant")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="until today, in Berlin")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Refused requests by tenant and category, the most first; never what was asked."""
    from kontor.app.cli import at_work
    from kontor.app.cli.tenants import find
    from kontor.app.ops.policy import hits_of_days
    from kontor.core.ids import PREFIXES, encode

    async def work(container: "Container") -> "list[HitsLine]":
        only = (await find(container, tenant)).id if tenant else None
        return (await hits_of_days(container.database, days, only))[2]

    rows = [
        {**asdict(line), "tenant": encode(PREFIXES["tenant"], line.tenant), "last": line.last.isoformat()}
        for line in at_work.run(settings(), work)
    ]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, COLUMNS, empty="Nothing was refused.")
