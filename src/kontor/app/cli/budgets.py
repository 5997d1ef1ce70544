"""`kontor budgets`: what a tenant may spend on models; the same use cases as the operator's API."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings
from kontor.app.cli.tenants import Json, Name, find

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.billing.metering.budgets.standing import Standing, TenantBudget

app = typer.Typer(help="What a tenant may spend on models.", no_args_is_help=True)

MOST_EUR: Final = 1_000_000
COLUMNS: Final = {
    "period": "period",
    "starts_at": "from",
    "ends_at": "until",
    "included_eur": "included EUR",
    "cap_eur": "cap EUR",
    "spent_eur": "spent EUR",
    "held_eur": "held EUR",
    "percent": "%",
    "alerted_pct": "told at %",
}


@app.command()
def show(name: Name, *, as_json: Json = False) -> None:
    """What is included, capped, spent and held by gateways in the present periods."""
    from kontor.app.cli import at_work

    async def work(container: "Container") -> "TenantBudget":
        tenant = (await find(container, name)).id
        async with container.database.uow(tenant) as tx:
            return await container.model_access.budget(tx, tenant)

    _print(at_work.run(settings(), work), as_json=as_json)


@app.command("set")
def set_cap(
    name: Name,
    *,
    cap: Annotated[str | None, typer.Option("--cap", help="EUR a month, in a pilot EUR in all")] = None,
    no_cap: Annotated[bool, typer.Option("--no-cap", help="what the plan allows")] = False,
    as_json: Json = False,
) -> None:
    """The tenant may spend at most this, also above a pilot's cap; a lower cap of its own stays."""
    from kontor.app.cli import at_work

    if (cap is None) is not no_cap:
        raise typer.BadParameter("give one of --cap and --no-cap")
    nano = None if cap is None else _nano(cap)

    async def work(container: "Container") -> "TenantBudget":
        tenant = (await find(container, name)).id
        async with container.database.uow(tenant) as tx:
            return await container.model_access.set_operator_cap(tx, tenant, nano, at_work.COMMAND_LINE)

    _print(at_work.run(settings(), work), as_json=as_json)


def _nano(typed: str) -> int:
    from kontor.core.money import NANO

    try:
        eur = Decimal(typed)
    except InvalidOperation:
        eur = Decimal("NaN")
    if not eur.is_finite() or not 0 <= eur <= MOST_EUR or eur * 100 % 1:
        raise typer.BadParameter("an amount such as 40 or 40.50, up to a million", param_hint="--cap")
    return int(eur * NANO)


def _print(found: "TenantBudget", *, as_json: bool) -> None:
    from kontor.app.cli import at_work

    rows = [_facts(one) for one in (found.plan, found.day) if one is not None]
    operator = _eur(found.plan.operator_cap_nano)
    if as_json:
        at_work.print_json(
            {
                "operator_cap_eur": operator,
                "unpriced_calls": found.unpriced,
                "revision": found.revision,
                "budgets": rows,
            }
        )
        return
    at_work.print_table(rows, COLUMNS, empty="")
    typer.echo(f"The operator's cap: {'none' if operator is None else f'{operator} EUR'}.")
    if found.unpriced:
        typer.echo(f"{found.unpriced} calls have no price yet and are in no sum: kontor usage unpriced")


def _facts(one: "Standing") -> dict[str, object]:
    return {
        "period": one.period,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "included_eur": _eur(one.included_nano),
        "cap_eur": _eur(one.cap_nano),
        "own_cap_eur": _eur(one.own_cap_nano),
        "spent_eur": _eur(one.spent_nano),
        "held_eur": _eur(one.held_nano),
        "percent": None if one.percent is None else f"{one.percent:f}",
        "alerted_pct": one.told_pct,
    }


def _eur(nano: int | None) -> str | None:
    from kontor.core.money import decimal_of_nano

    return None if nano is None else f"{decimal_of_nano(nano, 4):f}"
