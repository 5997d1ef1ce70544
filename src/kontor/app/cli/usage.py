"""`kontor usage`: what was metered of whom, whether it adds up, has a cost, and is what the provider counted."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from kontor.app.container import Container
    from kontor.billing.metering.proof import Proof
    from kontor.billing.metering.reconcile import Compared, Reconciled
    from kontor.billing.metering.unpriced import Unpriced
    from kontor.billing.tenants_usage import TenantUsage
    from kontor.core.ids import TenantId

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

TENANTS: Final = {
    "slug": "tenant",
    "calls": "calls",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "cost_eur": "cost EUR",
    "unpriced_calls": "unpriced",
    "estimated_calls": "estimated",
    "refused": "refused",
}
COMPARED: Final = {
    "day": "day (UTC)",
    "model": "model",
    "measure": "what",
    "currency": "in",
    "ours": "ours",
    "theirs": "provider's",
    "difference": "difference",
    "pct": "%",
    "beyond": "",
}


@app.callback()
def usage() -> None:
    """What was metered."""


@app.command()
def verify(*, as_json: Annotated[bool, typer.Option("--json", help="JSON instead of sentences")] = False) -> None:
    """Compare every hour's sums with its calls, and look whether calls wait in this machine's journal.

    Exit code 1 when a sum differs, a call waits or the journal cannot be read.
    """
    from kontor.app.cli import at_work
    from kontor.billing.metering.proof import prove

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
    from kontor.app.cli import at_work
    from kontor.billing.metering.unpriced import unpriced as find

    async def work(container: "Container") -> "list[Unpriced]":
        async with container.database.system_uow() as tx:
            return await find(tx)

    rows = [asdict(one) | {"month": str(one.month)} for one in at_work.run(settings(), work)]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, UNPRICED, empty="Every call has a cost.")


@app.command("tenants")
def of_tenants(
    *,
    first: Annotated[str | None, typer.Option("--from", help="first day (Berlin); default: the month's")] = None,
    last: Annotated[str | None, typer.Option("--to", help="last day (Berlin); default: today")] = None,
    as_json: Json = False,
) -> None:
    """What each tenant used and what was refused, the dearest first."""
    from kontor.app.cli import at_work
    from kontor.billing.tenants_usage import usage_of_tenants
    from kontor.core.clock import day_of, month_of
    from kontor.tenants.lifecycle.operators_list import slugs_of

    async def work(container: "Container") -> "tuple[list[TenantUsage], dict[TenantId, str]]":
        now = container.clock.now()
        until = _day(last, "--to") or day_of(now)
        since = _day(first, "--from") or min(day_of(month_of(now).start), until)
        if since > until:
            raise typer.BadParameter("must not be after --to", param_hint="--from")
        async with container.database.system_uow() as tx:
            found = await usage_of_tenants(tx, since, until)
            return found, await slugs_of(tx, [one.tenant for one in found])

    found, slugs = at_work.run(settings(), work)
    rows = [_of_tenant(one, slugs) for one in sorted(found, key=lambda one: -one.used.cost_nano)]
    if as_json:
        at_work.print_json(rows)
    else:
        at_work.print_table(rows, TENANTS, empty="Nobody used anything.")


@app.command("reconcile")
def compare(
    provider: Annotated[str, typer.Argument(help="as in kontor usage unpriced: openai, anthropic, ...")],
    file: Annotated[Path, typer.Argument(help="the provider's own export")],
    *,
    tolerance: Annotated[str, typer.Option("--tolerance-pct", help="differences up to this are in order")] = "0.5",
    as_json: Json = False,
) -> None:
    """Compare our calls with what the provider says it counted, by UTC day and model.

    Exit code 1 when a sum differs by more than the tolerance.
    """
    from kontor.app.cli import at_work
    from kontor.billing.metering.provider_exports.read import read_export
    from kontor.billing.metering.reconcile import reconcile

    allowed = _percent(tolerance)
    try:
        export = read_export(provider, file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from error

    async def work(container: "Container") -> "Reconciled":
        async with container.database.system_uow() as tx:
            return await reconcile(tx, provider, export, allowed)

    done = at_work.run(settings(), work)
    if as_json:
        at_work.print_json(_reconciled(done))
    else:
        at_work.print_table([_shown(one) for one in done.differing], COMPARED, empty="Every sum is the same.")
        typer.echo(_summary(done, allowed))
    raise typer.Exit(1 if done.beyond else 0)


def _day(typed: str | None, option: str) -> date | None:
    try:
        return None if typed is None else date.fromisoformat(typed)
    except ValueError as error:
        raise typer.BadParameter("a day such as 2026-12-01", param_hint=option) from error


def _of_tenant(one: "TenantUsage", slugs: "Mapping[TenantId, str]") -> dict[str, object]:
    from kontor.core.ids import PREFIXES, encode

    return {
        "tenant": encode(PREFIXES["tenant"], one.tenant),
        "slug": slugs.get(one.tenant),
        "calls": one.used.calls,
        "input_tokens": one.used.input_tokens,
        "output_tokens": one.used.output_tokens,
        "cost_eur": f"{one.used.cost:f}",
        "unpriced_calls": one.used.unpriced,
        "estimated_calls": one.used.estimated,
        "refused": one.refused,
        "refusals": one.refusals,
    }


def _percent(typed: str) -> Decimal:
    try:
        value = Decimal(typed)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise typer.BadParameter("a number such as 0.5", param_hint="--tolerance-pct")
    return value


def _reconciled(done: "Reconciled") -> dict[str, object]:
    return {
        "ok": not done.beyond,
        "form": done.export.form,
        "first": done.export.first,
        "last": done.export.last,
        "estimated_calls": done.estimated,
        "unpriced_calls": done.unpriced,
        "compared": [_in_full(asdict(one)) for one in done.compared],
    }


def _in_full(sums: dict[str, object]) -> dict[str, object]:
    """Decimals without an exponent."""
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in sums.items()}


def _shown(one: "Compared") -> dict[str, object]:
    return _in_full(asdict(one)) | {
        "difference": f"{one.difference:+f}",
        "pct": "-" if one.pct is None else f"{one.pct:+.2f}",
        "beyond": "beyond" if one.is_beyond else "",
    }


def _summary(done: "Reconciled", tolerance_pct: Decimal) -> str:
    notes = [f"{done.estimated} of our calls are estimates"] if done.estimated else []
    notes += [f"{done.unpriced} have no cost"] if done.unpriced else []
    return (
        f"{done.export.form}, {done.export.first} to {done.export.last}: {len(done.compared)} sums compared, "
        f"{len(done.differing)} differ, {len(done.beyond)} by more than {tolerance_pct} %."
        + (f" {', '.join(notes)}." if notes else "")
    )
