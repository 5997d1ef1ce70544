"""Prices and rates in Postgres: reading them, and the ones we ship.

The shipped file is a beginning that an operator corrects by newer rows (`set_price`, `set_rate`, `price_sync`); a row
once used is never changed. What was recorded before a row came is re-rated: `rerate`.
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from kontor.billing.metering.model import ExchangeRate, ModelPrice
from kontor.billing.metering.prices import Price, Rate
from kontor.core.clock import Month
from kontor.core.db import Tx
from kontor.core.ids import new_id
from kontor.core.money import NANO

SHIPPED: Final = "prices.toml"
FROM_US: Final = "shipped"
FROM_OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A price, where it comes from, and until when it is the one: the next row's instant, empty while there is none."""

    price: Price
    source: str
    until: datetime | None


async def list_prices(tx: Tx, at: datetime, provider: str | None = None) -> list[ListedPrice]:
    """What is valid at an instant, by provider and model."""
    until = func.lead(ModelPrice.valid_from).over(
        partition_by=(ModelPrice.provider, ModelPrice.model), order_by=ModelPrice.valid_from
    )
    rows = select(ModelPrice, until.label("until")).subquery()
    found = await tx.execute(
        select(rows)
        .where(rows.c.valid_from <= at, rows.c.until.is_(None) | (rows.c.until > at))
        .where(rows.c.provider == provider if provider else text("true"))
        .order_by(rows.c.provider, rows.c.model)
    )
    return [ListedPrice(_price_of(row), row.source, row.until) for row in found]


async def last_price(tx: Tx, provider: str, model: str) -> ListedPrice | None:
    """The newest row of a model, which may begin in the future."""
    row = await tx.scalar(
        select(ModelPrice)
        .where(ModelPrice.provider == provider, ModelPrice.model == model)
        .order_by(ModelPrice.valid_from.desc())
        .limit(1)
    )
    return ListedPrice(_price_of(row), row.source, None) if row else None


async def list_rates(tx: Tx) -> list[tuple[Rate, str]]:
    """All exchange rates with their sources, by currency and month."""
    rows = await tx.scalars(select(ExchangeRate).order_by(ExchangeRate.currency, ExchangeRate.valid_from))
    return [(Rate(row.id, row.currency, row.valid_from, row.valid_to, row.nano_eur), row.source) for row in rows]


async def add_price(tx: Tx, price: Price, source: str) -> bool:
    """The row is there; False when another one of its model begins at the same instant."""
    row = insert(ModelPrice).values(
        id=price.id,
        provider=price.provider,
        model=price.model,
        currency=price.currency,
        input_nano_per_million=price.input,
        cached_nano_per_million=price.cached,
        cache_write_nano_per_million=price.cache_write,
        output_nano_per_million=price.output,
        valid_from=price.valid_from,
        source=source,
    )
    return await tx.scalar(row.on_conflict_do_nothing().returning(ModelPrice.id)) is not None


async def lock_prices(tx: Tx) -> None:
    """Nobody else changes prices or rates until this transaction ends; reading them goes on."""
    await tx.execute(text("LOCK TABLE model_prices, exchange_rates IN SHARE ROW EXCLUSIVE MODE"))


async def load_shipped_prices(tx: Tx) -> int:
    """The shipped prices and rates are in the tables; how many were new. Rows that exist stay as they are.

    For a system unit of work.
    """
    shipped = tomllib.loads((files(__package__) / SHIPPED).read_text("utf-8"), parse_float=Decimal)
    new = sum([await add_price(tx, _shipped(row), FROM_US) for row in shipped["prices"]])
    for row in shipped["rates"]:
        rate = insert(ExchangeRate).values(id=new_id(), **_rate(row)).on_conflict_do_nothing()
        new += await tx.scalar(rate.returning(ExchangeRate.id)) is not None
    return new


def _price_of(row: Any) -> Price:
    return Price(
        row.id,
        row.provider,
        row.model,
        row.currency,
        row.input_nano_per_million,
        row.cached_nano_per_million,
        row.cache_write_nano_per_million,
        row.output_nano_per_million,
        row.valid_from,
    )


def _shipped(row: dict[str, Any]) -> Price:
    return Price(
        new_id(),
        row["provider"],
        row["model"],
        row["currency"],
        nano(row["input"]),
        nano(row["cached"]) if "cached" in row else None,
        nano(row["cache_write"]) if "cache_write" in row else None,
        nano(row["output"]),
        datetime.fromisoformat(row["valid_from"]),
    )


def _rate(row: dict[str, Any]) -> dict[str, Any]:
    month = Month.parse(row["month"])
    return {
        "currency": row["currency"],
        "valid_from": month.start,
        "valid_to": month.end,
        "nano_eur": nano(row["eur"]),
        "source": row["source"],
    }


def nano(amount: Decimal | int) -> int:
    """Nano-units of an amount with at most nine decimals."""
    return int(Decimal(amount) * NANO)
