"""The price book of a gateway process: read again every half minute, the last one kept while Postgres is away."""

import asyncio
from time import monotonic
from typing import Final

import asyncpg

from kontor.billing.metering.link import DatabaseAway, Link
from kontor.billing.metering.prices import PriceBook
from kontor.billing.metering.stored_prices import read_price_book

EVERY_S: Final = 30.0
_AGAIN_S: Final = 1.0


class LivePrices:
    """`book` holds all prices and rates that were known at most half a minute ago; it is empty until the first read."""

    def __init__(self) -> None:
        self.book = PriceBook()
        self._read_at = float("-inf")

    @property
    def is_known(self) -> bool:
        """Whether the book was read at least once."""
        return self._read_at > float("-inf")

    async def read(self, connection: asyncpg.Connection) -> PriceBook:
        """The book, read anew when it is old."""
        if monotonic() - self._read_at > EVERY_S:
            self.book, self._read_at = await read_price_book(connection), monotonic()
        return self.book

    async def follow(self, link: Link) -> None:
        """Until cancelled: keeps the book new."""
        while True:
            try:
                async with link.connection() as connection:
                    await self.read(connection)
            except DatabaseAway:
                await asyncio.sleep(_AGAIN_S)
            else:
                await asyncio.sleep(EVERY_S)
