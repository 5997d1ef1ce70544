"""`kontor usage`: whether what was metered adds up, has a cost, and is what the provider counted."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.billing.metering.proof import Proof
    from kontor.billing.metering.unpriced import Unpriced

app = typer.Typer(help="What was metered.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
UNPRICED: Final = {
    "provider": "provider",
    "model": "model",
    "month": "month",
    "currency": "currency",
    "events": "calls",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "since": "since",
    "help": "what helps",
}


@app.callback()
def usage() -> None:
    """What was metered."""


@app.command()
def verify(*, as_json: Annotated[bool, typer.Option("--json", help="JSON instead of sentences")] = False) -> None:
    """Compare every hour's sums with its calls, and look whether calls wait in this machine's journal.

    Exit code 1 when a sum differs, a call waits or the journal cannot be read.
    """
    from kontor.app.cli import at_work  # noqa: PLC0415 - each command starts with what it needs
    from kontor.billing.metering.proof import prove  # noqa: PLC0415

    used = settings()

    async def work(container: "Container") -> "Proof":
        async with container.database.system_uow() as tx:
            return await prove(tx, used.journal_path, is_required=used.journal_dir is not None)

    proof = at_work.run(used, work)
    if as_json:
        journal = {"folder": proof.folder, "waiting": proof.waiting}
        at_work.print_json({"ok": not proof.problems, "differences": proof.problems, "journal": journal})
    elif proof.problems:
        typer.echo("\n".join(proof.problems))
    else:
        where = f"at {proof.folder}"
        empty = "There is no journal" if proof.waiting is None else "No call waits in the journal"
        typer.echo(f"Every sum is that of its calls. {empty} {where}.")
    raise typer.Exit(1 if proof.problems else 0)


@app.command()
def unpriced(*, as_json: Json = False) -> None:
    """Calls without a cost, by model, and the command that helps."""
    from kontor.app.cli import at_work  # noqa: PLC0415
    from kontor.billing.metering.unpriced import unpriced as find  # noqa: PLC0415

    async def work(container: "Container") -> "list[Unpriced]":
        async with container.database.system_uow() as tx:
            return await find(tx)

    rows = [asdict(one) | {"month": str(one.month)} for one in at_work.run(settings(), work)]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, UNPRICED, empty="Every call has a cost.")
