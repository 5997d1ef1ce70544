"""How often something happened to each tenant on each Berlin day: /metrics has no tenant.

Counted in memory and written each second, so a process that is killed loses the last one. Nothing of what was said.
"""

import collections
from datetime import date
from uuid import UUID

import asyncpg

from kontor.core.clock import Clock, day_of
from kontor.core.ids import TenantId


class DayCounts:
    """The counts of this process. `statement` adds columns of tenants, days, names and counts to a table."""

    def __init__(self, clock: Clock, statement: str) -> None:
        self._clock = clock
        self._statement = statement
        self._counts: collections.Counter[tuple[UUID, date, str]] = collections.Counter()

    def note(self, tenant: TenantId, name: str) -> None:
        """It has happened to the tenant now."""
        self._counts[tenant, day_of(self._clock.now()), name] += 1

    async def write(self, connection: asyncpg.Connection) -> None:
        """What was counted is in Postgres. A failure keeps the counts for the next time."""
        counts = dict(self._counts)
        if not counts:
            return
        columns = zip(*((*place, count) for place, count in counts.items()), strict=True)
        await connection.execute(self._statement, *(list(column) for column in columns))
        for place, count in counts.items():
            self._counts[place] -= count
        self._counts = +self._counts
