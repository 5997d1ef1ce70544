"""`kontor instances`: every assistant's process, the warm pool too."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.tenants.lifecycle.instances_list import InstanceLine

COLUMNS: Final = {
    "id": "instance",
    "tenant_slug": "tenant",
    "phase": "should be",
    "observed": "is",
    "release": "release",
    "restarts": "restarts",
    "failure_code": "failure",
}


def instances(
    *,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """List assistants, those of the warm pool too."""
    from kontor.app.cli import at_work
    from kontor.core.ids import PREFIXES, encode
    from kontor.tenants.lifecycle.instances_list import list_instances

    async def work(container: "Container") -> "list[InstanceLine]":
        async with container.database.system_uow() as tx:
            return await list_instances(tx, limit=limit)

    rows = [
        {
            **asdict(line),
            "id": encode(PREFIXES["instance"], line.id),
            "tenant": encode(PREFIXES["tenant"], line.tenant) if line.tenant else None,
        }
        for line in at_work.run(settings(), work)
    ]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, COLUMNS, empty="There is no instance.")
