"""`kontor tenants`: the fleet by the command line; the same use cases as the operator's API."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings
from kontor.core.errors import NotFound
from kontor.core.i18n import Text

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.core.ids import TenantId
    from kontor.tenants.lifecycle.operators_list import TenantLine

app = typer.Typer(help="List tenants and act on one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="slug or id (tnt_...) of the tenant")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
STATES: Final = ("onboarding", "active", "suspended", "erasing")
COLUMNS: Final = {
    "slug": "tenant",
    "state": "state",
    "plan": "plan",
    "phase": "assistant",
    "observed": "is",
    "failure_code": "failure",
    "created_at": "since",
}


@app.command("list")
def list_all(
    *,
    state: Annotated[str | None, typer.Option(help=", ".join(STATES))] = None,
    search: Annotated[str | None, typer.Option(help="part of the slug, or a whole id")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: Json = False,
) -> None:
    """The newest tenants with what their assistants do."""
    from kontor.app.cli import at_work
    from kontor.tenants.lifecycle.operators_list import list_tenants
    from kontor.tenants.model import TenantState

    if state is not None and state not in STATES:
        raise typer.BadParameter(f"choose one of {', '.join(STATES)}", param_hint="--state")

    async def work(container: "Container") -> "list[TenantLine]":
        only = TenantState(state) if state else None
        async with container.database.system_uow() as tx:
            return await list_tenants(tx, state=only, search=search, limit=limit)

    rows = [_facts(line) for line in at_work.run(settings(), work)]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, COLUMNS, empty="There is no such tenant.")


@app.command()
def show(name: Name, *, as_json: Json = False) -> None:
    """One tenant."""
    from kontor.app.cli import at_work

    _print(at_work.run(settings(), lambda container: find(container, name)), as_json=as_json)


@app.command()
def suspend(
    name: Name,
    *,
    why: Annotated[str, typer.Option(help="payment_overdue, acceptable_use, operator")] = "operator",
    as_json: Json = False,
) -> None:
    """The assistant answers with the notice and asks no model."""
    from kontor.app.cli import at_work
    from kontor.tenants.events import Suspension
    from kontor.tenants.lifecycle.suspend import suspend as act

    if why not in set(Suspension):
        raise typer.BadParameter(f"choose one of {', '.join(Suspension)}", param_hint="--why")

    async def work(container: "Container") -> "TenantLine":
        tenant = (await find(container, name)).id
        async with container.database.uow(tenant) as tx:
            await act(tx, tenant, Suspension(why), at_work.COMMAND_LINE)
        return await find(container, name)

    _print(at_work.run(settings(), work), as_json=as_json)


@app.command()
def resume(name: Name, *, as_json: Json = False) -> None:
    """The suspension is over."""
    from kontor.app.cli import at_work
    from kontor.tenants.lifecycle.resume import resume as act

    async def work(container: "Container") -> "TenantLine":
        tenant = (await find(container, name)).id
        async with container.database.uow(tenant) as tx:
            await act(tx, tenant, at_work.COMMAND_LINE)
        return await find(container, name)

    _print(at_work.run(settings(), work), as_json=as_json)


@app.command()
def delete(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Everything of the tenant is erased. Prints the receipt, which opens the proof."""
    from kontor.app.cli import at_work
    from kontor.core.ids import PREFIXES, encode
    from kontor.tenants.leaving.erase import Receipt, begin_erasure

    used = settings()
    found = at_work.run(used, lambda container: find(container, name))
    if not yes:
        typed = typer.prompt(f"This erases everything of {found.slug}, for good. Type its slug to go on")
        if typed.strip() != found.slug:
            typer.echo("That is another name; nothing was erased.", err=True)
            raise typer.Exit(1)

    async def work(container: "Container") -> Receipt:
        tenant: TenantId = found.id
        async with container.database.uow(tenant) as tx:
            return await begin_erasure(tx, tenant, at_work.COMMAND_LINE, container.keys)

    receipt = at_work.run(used, work)
    facts = {"erasure": encode(PREFIXES["erasure"], receipt.erasure), "token": receipt.token}
    if as_json:
        at_work.print_json(facts)
    else:
        at_work.print_facts(facts)


async def find(container: "Container", name: str) -> "TenantLine":
    """The tenant with this slug or id. Raises NotFound."""
    from kontor.tenants.lifecycle.operators_list import find_tenant

    async with container.database.system_uow() as tx:
        found = await find_tenant(tx, name)
    if found is None:
        raise NotFound(
            Text(
                de=f"Es gibt keinen Mandanten „{name}“. Die Liste zeigt: kontor tenants list",
                en=f"There is no tenant '{name}'. See the list: kontor tenants list",
            )
        )
    return found


def _print(line: "TenantLine", *, as_json: bool) -> None:
    from kontor.app.cli import at_work

    if as_json:
        at_work.print_json(_facts(line))
    else:
        at_work.print_facts(_facts(line))


def _facts(line: "TenantLine") -> dict[str, object]:
    from kontor.core.ids import PREFIXES, encode

    instance = encode(PREFIXES["instance"], line.instance) if line.instance else None
    return {**asdict(line), "id": encode(PREFIXES["tenant"], line.id), "instance": instance}
