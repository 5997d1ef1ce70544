"""Prices and rates in Postgres: reading them for the recorder, and the ones we ship.

The shipped file is a beginning that an operator corrects by newer rows; a row once used is never changed.
"""

import tomllib
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final

import asyncpg
from sqlalchemy.dialects.postgresql import insert

from kontor.billing.metering.model import ExchangeRate, ModelPrice
from kontor.billing.metering.prices import Price, PriceBook, Rate
from kontor.core.clock import Month
from kontor.core.db import Tx
from kontor.core.ids import new_id
from kontor.core.money import NANO

SHIPPED: Final = "prices.toml"

_PRICES: Final = (
    "SELECT id, provider, model, currency, input_nano_per_million, cached_nano_per_million, "
    "cache_write_nano_per_million, output_nano_per_million, valid_from FROM model_prices"
)
_RATES: Final = "SELECT id, currency, valid_from, valid_to, nano_eur FROM exchange_rates"


async def read_price_book(connection: asyncpg.Connection) -> PriceBook:
    """Everything that is known, by the gateway's role."""
    prices = [Price(*row) for row in await connection.fetch(_PRICES)]
    return PriceBook(prices, [Rate(*row) for row in await connection.fetch(_RATES)])


async def load_shipped_prices(tx: Tx) -> None:
    """The shipped prices and rates are in the tables; rows that exist stay as they are. For a system unit of work."""
    shipped = tomllib.loads((files(__package__) / SHIPPED).read_text("utf-8"), parse_float=Decimal)
    for row in shipped["prices"]:
        await tx.execute(insert(ModelPrice).values(id=new_id(), **_price(row)).on_conflict_do_nothing())
    for row in shipped["rates"]:
        await tx.execute(insert(ExchangeRate).values(id=new_id(), **_rate(row)).on_conflict_do_nothing())


def _price(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "provider": row["provider"],
        "model": row["model"],
        "currency": row["currency"],
        "input_nano_per_million": _nano(row["input"]),
        "cached_nano_per_million": _nano(row["cached"]) if "cached" in row else None,
        "cache_write_nano_per_million": _nano(row["cache_write"]) if "cache_write" in row else None,
        "output_nano_per_million": _nano(row["output"]),
        "valid_from": datetime.fromisoformat(row["valid_from"]),
    }


def _rate(row: dict[str, Any]) -> dict[str, Any]:
    month = Month.parse(row["month"])
    return {
        "currency": row["currency"],
        "valid_from": month.start,
        "valid_to": month.end,
        "nano_eur": _nano(row["eur"]),
        "source": row["source"],
    }


def _nano(amount: Decimal | int) -> int:
    return int(Decimal(amount) * NANO)
