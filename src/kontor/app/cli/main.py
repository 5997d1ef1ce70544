"""The commands and their groups. A refusal is one line on standard error and exit code 1."""

import sys
from typing import Annotated

import typer

from kontor.app.cli import audit, budgets, operators, policy, prices, providers, tenants, usage
from kontor.app.cli.instances import instances
from kontor.app.cli.journey import journey
from kontor.app.cli.surroundings import settings
from kontor.core.errors import DomainError

app = typer.Typer(
    name="kontor",
    help="Control plane of a managed-AI-assistant service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def up() -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    from kontor.app.demo import seed
    from kontor.app.up.command import up as run

    raise typer.Exit(run(seed=seed))


@app.command()
def api() -> None:
    """REST, portal and operator pages."""
    from kontor.app.main import run

    run(settings())


@app.command()
def gateway() -> None:
    """The LLM gateway."""
    from kontor.app.gateway import run

    run(settings())


@app.command()
def worker() -> None:
    """Jobs, schedules and the reconciler."""
    from kontor.app.worker import run

    run(settings())


@app.command()
def model() -> None:
    """The built-in model, for demonstrations and tests."""
    from kontor.app.model.server import run

    run(settings())


@app.command()
def outbox() -> None:
    """Takes mail instead of sending it, and shows it."""
    from kontor.app.outbox.server import run_outbox

    run_outbox(settings())


@app.command()
def migrate(revision: Annotated[str, typer.Argument(help="Alembic revision")] = "head") -> None:
    """Bring roles, schema and shipped prices to a revision, and repeat erasures that a restore has undone."""
    import asyncio

    from kontor.app.container import Container
    from kontor.app.worker import eraser_of, runtime_of
    from kontor.billing.metering.price_book import load_shipped_prices
    from kontor.billing.metering.rerate import rerate
    from kontor.core.audit import SYSTEM
    from kontor.core.ids import PREFIXES, encode
    from kontor.core.migrate import migrate_async
    from kontor.tenants.leaving.replay import replay_register

    async def run() -> None:
        container = Container(settings())
        await migrate_async(container.database.urls, revision)
        async with container.database.system_uow() as tx:
            new = await load_shipped_prices(tx)
        if new:
            await rerate(container.database, SYSTEM)
        runtime = runtime_of(container.settings)
        eraser = eraser_of(container, runtime)
        repeated = await replay_register(container.database, container.erasures, runtime, eraser)
        await runtime.close()
        await container.close()
        for erasure in repeated:
            typer.echo(f"Repeated the erasure {encode(PREFIXES['erasure'], erasure)}, which a restore had undone.")

    asyncio.run(run())
    typer.echo(f"The schema is at {revision}.")


app.command()(journey)
app.command()(instances)
app.add_typer(tenants.app, name="tenants")
app.add_typer(audit.app, name="audit")
app.add_typer(operators.app, name="operators")
app.add_typer(usage.app, name="usage")
app.add_typer(policy.app, name="policy")
app.add_typer(budgets.app, name="budgets")
app.add_typer(prices.app, name="prices")
app.add_typer(providers.app, name="providers")


def main() -> None:
    """The entry point."""
    try:
        app()
    except DomainError as error:
        typer.echo(error.sentence("en"), err=True)
        sys.exit(1)
