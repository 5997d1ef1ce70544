"""`kontor audit`: whether anybody has changed what is recorded."""

from typing import TYPE_CHECKING, Annotated

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.core.audit import Verdict

app = typer.Typer(help="The audit log.", no_args_is_help=True)
OPERATOR = "operator"


@app.callback()
def audit() -> None:
    """The audit log."""


@app.command()
def verify(
    tenant: Annotated[str | None, typer.Argument(help="id (tnt_...) or slug, or 'operator'; default: all")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table")] = False,
) -> None:
    """Walk the chains from their beginning, those of erased tenants too. Exit code 1 when one is broken."""
    from kontor.app.cli import at_work

    async def work(container: "Container") -> "list[Verdict]":
        return await _verdicts(container, tenant)

    rows = [_facts(verdict) for verdict in at_work.run(settings(), work)]
    broken = [row for row in rows if not row["intact"]]
    if as_json:
        at_work.print_json({"ok": not broken, "chains": rows})
    else:
        columns = {"chain": "chain", "entries": "entries", "verdict": "verdict"}
        at_work.print_table(rows, columns, empty="There is no chain yet.")
    raise typer.Exit(1 if broken else 0)


async def _verdicts(container: "Container", name: str | None) -> "list[Verdict]":
    from kontor.core import audit as log
    from kontor.core.ids import TenantId, decode
    from kontor.tenants.lifecycle.operators_list import find_tenant

    async with container.database.system_uow() as tx:
        if name is None:
            chains = await log.chains(tx)
        elif name == OPERATOR:
            chains = [log.OPERATOR_CHAIN]
        else:
            known = await find_tenant(tx, name)
            chains = [known.id if known else TenantId(decode("tnt", name))]
        return [await log.verify(tx, chain) for chain in chains]


def _facts(verdict: "Verdict") -> dict[str, object]:
    from kontor.core.audit import OPERATOR_CHAIN
    from kontor.core.ids import PREFIXES, encode

    is_operators = verdict.tenant == OPERATOR_CHAIN
    return {
        "chain": OPERATOR if is_operators else encode(PREFIXES["tenant"], verdict.tenant),
        "entries": verdict.entries,
        "intact": verdict.is_intact,
        "verdict": "intact" if verdict.is_intact else f"broken at entry {verdict.broken_at}: {verdict.reason}",
        "head": verdict.head.hex(),
    }
