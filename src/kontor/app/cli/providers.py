"""`kontor providers`: what the gateways saw of the providers of models."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.billing.metering.outages.queries import OutageOfDeployment

app = typer.Typer(help="What the gateways saw of the providers of models.", no_args_is_help=True)

COLUMNS: Final = {
    "deployment": "deployment",
    "started_at": "began",
    "observed_until": "observed until",
    "state": "state",
    "causes": "because",
    "gateways": "gateways",
    "excluded": "excluded from SLA",
}


@app.callback()
def providers() -> None:
    """What the gateways saw of the providers of models."""


@app.command()
def outages(
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="times 24 hours, until now")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """When a deployment did not answer, the newest first; what several gateways saw is one outage."""
    from datetime import timedelta

    from kontor.app.cli import at_work
    from kontor.billing.metering.outages.queries import outages_since

    async def work(container: "Container") -> "list[OutageOfDeployment]":
        async with container.database.system_uow() as tx:
            return await outages_since(tx, tx.now - timedelta(days=days))

    found = at_work.run(settings(), work)
    if as_json:
        at_work.print_json([asdict(one) | {"is_excluded": one.is_providers} for one in found])
        return
    rows = [
        asdict(one)
        | {
            "state": {True: "over", False: "lasts", None: "not observed any more"}[one.is_over],
            "causes": ", ".join(one.causes),
            "excluded": "where no other is left" if one.is_providers else "no",
        }
        for one in found
    ]
    at_work.print_table(rows, COLUMNS, empty="No outage was seen.")
