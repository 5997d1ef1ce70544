"""All prices and rates that Postgres has, read by the gateway's role."""

from typing import Final

import asyncpg

from kontor.billing.metering.prices import Price, PriceBook, Rate

_PRICES: Final = (
    "SELECT id, provider, model, currency, input_nano_per_million, cached_nano_per_million, "
    "cache_write_nano_per_million, output_nano_per_million, valid_from FROM model_prices"
)
_RATES: Final = "SELECT id, currency, valid_from, valid_to, nano_eur FROM exchange_rates"


async def read_price_book(connection: asyncpg.Connection) -> PriceBook:
    """Everything that is known, by the gateway's role."""
    prices = [Price(*row) for row in await connection.fetch(_PRICES)]
    return PriceBook(prices, [Rate(*row) for row in await connection.fetch(_RATES)])
