"""`kontor usage`: whether the sums are those of the single calls."""

from typing import TYPE_CHECKING, Annotated

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container

app = typer.Typer(help="What was metered.", no_args_is_help=True)


@app.callback()
def usage() -> None:
    """What was metered."""


@app.command()
def verify(*, as_json: Annotated[bool, typer.Option("--json", help="JSON instead of sentences")] = False) -> None:
    """Compare every hour's sums with its calls. Exit code 1 when one differs."""
    from kontor.app.cli import at_work  # noqa: PLC0415 - each command starts with what it needs
    from kontor.billing.queries import differences  # noqa: PLC0415

    async def work(container: "Container") -> list[str]:
        async with container.database.system_uow() as tx:
            return await differences(tx)

    found = at_work.run(settings(), work)
    if as_json:
        at_work.print_json({"ok": not found, "differences": found})
    else:
        typer.echo("\n".join(found) or "Every sum is that of its calls.")
    raise typer.Exit(1 if found else 0)
