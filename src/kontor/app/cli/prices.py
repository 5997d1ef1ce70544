"""`kontor prices`: what models cost, and what a currency is worth."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kontor.app.cli.instants import instant
from kontor.app.cli.surroundings import settings

if TYPE_CHECKING:
    from datetime import datetime

    from kontor.app.container import Container
    from kontor.billing.metering.price_book import ListedPrice
    from kontor.billing.metering.price_sync import Pair, Synced
    from kontor.billing.metering.prices import Price, Rate
    from kontor.billing.metering.rerate import Rerated
    from kontor.core.settings import Settings

app = typer.Typer(help="What models cost, and what a currency is worth.", no_args_is_help=True)
rate = typer.Typer(help="What a currency is worth in a month.", no_args_is_help=True)
app.add_typer(rate, name="rate")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
From = Annotated[str | None, typer.Option("--from", help="day (Berlin) or instant; default: now")]
# Providers that the settings can name and genai-prices knows.
PROVIDERS: Final = ("openai", "anthropic", "mistral")
OPENAI: Final = "https://api.openai.com/v1"
AMOUNTS: Final = {"input": "input", "cached": "cached", "cache_write": "cache write", "output": "output"}
COLUMNS: Final = {"provider": "provider", "model": "model", "currency": "currency", **AMOUNTS}


@app.command("list")
def list_all(
    *,
    provider: Annotated[str | None, typer.Option(help="only this one's")] = None,
    at: Annotated[str | None, typer.Option(help="day (Berlin) or instant; default: now")] = None,
    as_json: Json = False,
) -> None:
    """What a million tokens costs, since when, and who says so."""
    from kontor.app.cli import at_work
    from kontor.billing.metering.price_book import list_prices

    when = instant(at, "--at")

    async def work(container: "Container") -> "list[ListedPrice]":
        async with container.database.system_uow() as tx:
            return await list_prices(tx, when or tx.now, provider)

    rows = [_listed(one) for one in at_work.run(settings(), work)]
    if as_json:
        at_work.print_json(rows)
    else:
        columns = {**COLUMNS, "valid_from": "since", "until": "until", "source": "source"}
        at_work.print_table(rows, columns, empty="There is no price. Import some: kontor prices sync")


@app.command()
def sync(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    begins: From = None,
    everything: Annotated[bool, typer.Option("--all", help="every model of OpenAI, Anthropic and Mistral")] = False,
    as_json: Json = False,
) -> None:
    """Import the prices of the installed genai-prices for models that are priced, used or configured."""
    from kontor.app.cli import at_work
    from kontor.billing.metering.price_sync import Found, sync_prices, used_pairs
    from kontor.billing.metering.published_prices import published_models

    valid_from, used = instant(begins, "--from"), settings()
    listed = {(name, model) for name in PROVIDERS for model in published_models(name)} if everything else set()

    async def work(container: "Container") -> "tuple[list[Synced], Rerated | None]":
        async with container.database.system_uow() as tx:
            pairs = await used_pairs(tx) | _configured(used) | listed
            found = await sync_prices(tx, at_work.COMMAND_LINE, pairs, valid_from=valid_from, is_dry=dry_run)
        is_changed = any(one.found in {Found.NEW, Found.CHANGED} for one in found)
        return found, await _rerate(container, is_shown=not as_json) if is_changed and not dry_run else None

    found, rerated = at_work.run(used, work)
    rows = [_synced(one) for one in found]
    if as_json:
        at_work.print_json({"dry_run": dry_run, "models": rows, "rerated": _rerated(rerated)})
        return
    columns = {"provider": "provider", "model": "model", "found": "found", "currency": "currency", **AMOUNTS}
    shown = [row | {"before": _was(one)} for row, one in zip(rows, found, strict=True)]
    at_work.print_table(
        shown, {**columns, "before": "ours", "reason": "because"}, empty="There is no model to look for."
    )
    _say(rerated)


@app.command("set")
def set_one(
    provider: Annotated[str, typer.Argument(help="as in kontor usage unpriced: openai, anthropic, ...")],
    model: Annotated[str, typer.Argument(help="the model's name at the provider")],
    *,
    input_price: Annotated[str, typer.Option("--input", help="of a million input tokens")],
    output_price: Annotated[str, typer.Option("--output", help="of a million output tokens")],
    currency: Annotated[str, typer.Option(help="the provider's: USD, EUR, ...")],
    cached: Annotated[str | None, typer.Option(help="of those read from a cache; default: as input")] = None,
    cache_write: Annotated[str | None, typer.Option(help="of those written to a cache; default: as input")] = None,
    begins: From = None,
    as_json: Json = False,
) -> None:
    """A price of your own, from now or an instant of this month on; usage since then is re-rated."""
    from kontor.app.cli import at_work
    from kontor.billing.metering.set_price import NewPrice, set_price

    new = NewPrice(
        provider,
        model,
        currency,
        _decimal(input_price, "--input"),
        _decimal(output_price, "--output"),
        _decimal(cached, "--cached") if cached is not None else None,
        _decimal(cache_write, "--cache-write") if cache_write is not None else None,
    )
    valid_from = instant(begins, "--from")

    async def work(container: "Container") -> "tuple[Price, Rerated]":
        async with container.database.system_uow() as tx:
            price = await set_price(tx, at_work.COMMAND_LINE, new, valid_from)
        return price, await _rerate(container, is_shown=not as_json)

    price, rerated = at_work.run(settings(), work)
    facts = {**_amounts(price), "valid_from": price.valid_from}
    if as_json:
        at_work.print_json({**facts, "rerated": _rerated(rerated)})
        return
    at_work.print_facts(facts)
    _say(rerated)


@app.command()
def rerate(*, as_json: Json = False) -> None:
    """Give the usage of the current month the cost of today's prices and rates. Safe to repeat and to break off."""
    from kontor.app.cli import at_work

    done = at_work.run(settings(), lambda container: _rerate(container, is_shown=not as_json))
    if as_json:
        at_work.print_json(_rerated(done))
    else:
        _say(done)


@rate.command("list")
def list_rates(*, as_json: Json = False) -> None:
    """EUR for one unit of each currency, by month."""
    from kontor.app.cli import at_work
    from kontor.billing.metering import price_book

    async def work(container: "Container") -> "list[tuple[Rate, str]]":
        async with container.database.system_uow() as tx:
            return await price_book.list_rates(tx)

    rows = [_rate(one, source) for one, source in at_work.run(settings(), work)]
    if as_json:
        at_work.print_json(rows)
    else:
        columns = {"currency": "currency", "month": "month", "eur": "EUR", "source": "source"}
        at_work.print_table(rows, columns, empty="There is no rate. Set one: kontor prices rate set USD 2026-12 0.87")


@rate.command("set")
def set_rate(
    currency: Annotated[str, typer.Argument(help="USD, CHF, ...")],
    month: Annotated[str, typer.Argument(help="2026-12")],
    eur: Annotated[str, typer.Argument(help="EUR for one unit")],
    *,
    source: Annotated[str, typer.Option(help="whose rate it is")] = "ECB",
    as_json: Json = False,
) -> None:
    """Set a month's rate before it begins; in the current month only where there is none yet."""
    from kontor.app.cli import at_work
    from kontor.billing.metering import set_rate as rules
    from kontor.core.clock import Month

    value = _decimal(eur, "EUR")
    try:
        when = Month.parse(month)
    except ValueError as error:
        raise typer.BadParameter("a month such as 2026-12", param_hint="MONTH") from error

    async def work(container: "Container") -> "tuple[Rate, Rerated]":
        async with container.database.system_uow() as tx:
            made = await rules.set_rate(tx, at_work.COMMAND_LINE, currency, when, eur=value, source=source)
        return made, await _rerate(container, is_shown=not as_json)

    made, rerated = at_work.run(settings(), work)
    if as_json:
        at_work.print_json({**_rate(made, source), "rerated": _rerated(rerated)})
        return
    at_work.print_facts(_rate(made, source))
    _say(rerated)


def _configured(used: "Settings") -> "set[Pair]":
    """The configured models; none of where something else only speaks like OpenAI, whose prices are its own."""
    from kontor.app.providers import catalogue_of
    from kontor.tenants.contracts.catalogue import packaged

    return {
        (one.provider, one.model)
        for one in catalogue_of(used, packaged()).deployments
        if one.provider != "openai" or one.base_url == OPENAI
    }


async def _rerate(container: "Container", *, is_shown: bool) -> "Rerated":
    from kontor.app.cli import at_work
    from kontor.billing.metering import rerate as usage

    if not is_shown:
        return await usage.rerate(container.database, at_work.COMMAND_LINE)
    with at_work.progress("Re-rating calls") as advance:
        hear: Callable[[Rerated, int], None] = lambda done, due: advance(done.events, due)  # noqa: E731
        return await usage.rerate(container.database, at_work.COMMAND_LINE, on_progress=hear)


def _say(done: "Rerated | None") -> None:
    from kontor.core.money import decimal_of_nano

    if done is not None:
        cost = decimal_of_nano(done.cost_nano)
        typer.echo(
            f"{done.events} calls re-rated, {done.newly_priced} of them had no price; {cost:+f} EUR."
            if done.events
            else "Every call has the cost of its price and rate already, or none is known for it."
        )


def _rerated(done: "Rerated | None") -> dict[str, int] | None:
    from dataclasses import asdict

    return asdict(done) if done is not None else None


def _decimal(typed: str, option: str) -> Decimal:
    try:
        return Decimal(typed)
    except InvalidOperation as error:
        raise typer.BadParameter("a decimal such as 0.15", param_hint=option) from error


def _listed(one: "ListedPrice") -> dict[str, object]:
    since: dict[str, datetime | None] = {"valid_from": one.price.valid_from, "until": one.until}
    return {**_amounts(one.price), **since, "source": one.source}


def _synced(one: "Synced") -> dict[str, object]:
    shown = one.price or (one.before.price if one.before else None)
    amounts = _amounts(shown) if shown else dict.fromkeys(COLUMNS)
    begins = shown.valid_from if shown else None
    who = {"provider": one.provider, "model": one.model}
    before = {**_amounts(one.before.price), "source": one.before.source} if one.before else None
    found = {"found": one.found.value, "reason": one.reason or None, "before": before}
    return {**amounts, **who, "valid_from": begins, **found}


def _was(one: "Synced") -> str | None:
    """Input and output of the row before, where the published price is another one."""
    if one.before is None or one.found.value not in {"changed", "differs"}:
        return None
    was = _amounts(one.before.price)
    return f"{was['input']} / {was['output']} {was['currency']} ({one.before.source})"


def _amounts(price: "Price") -> dict[str, object]:
    """Amounts of a million tokens, with as many decimals as they need."""
    amounts = {name: _plain(getattr(price, name)) for name in AMOUNTS}
    return {"provider": price.provider, "model": price.model, "currency": price.currency, **amounts}


def _rate(one: "Rate", source: str) -> dict[str, object]:
    from kontor.core.clock import month_of

    return {"currency": one.currency, "month": month_of(one.valid_from), "eur": _plain(one.nano_eur), "source": source}


def _plain(nano: int | None) -> str | None:
    from kontor.core.money import NANO

    if nano is None:
        return None
    whole, _, rest = f"{Decimal(nano) / NANO:.9f}".partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2}"
