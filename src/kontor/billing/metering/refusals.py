"""How many requests of each tenant were refused, by Berlin day and code: /metrics has no tenant.

Counted in memory and written each second, so a process that is killed loses the last one. Nothing of what was said.
"""

import collections
from datetime import date
from typing import Final
from uuid import UUID

import asyncpg

from kontor.core.clock import Clock, day_of
from kontor.core.ids import TenantId

# Not for a tenant that was erased in the meantime.
_WRITE: Final = """
INSERT INTO gateway_refusals AS r (tenant_id, day, code, requests)
SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[]) AS t (tenant_id, day, code, requests)
WHERE EXISTS (SELECT FROM gateway_keys k WHERE k.tenant_id = t.tenant_id) ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, day, code) DO UPDATE SET requests = r.requests + excluded.requests
"""


class Refusals:
    """The counts of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: collections.Counter[tuple[UUID, date, str]] = collections.Counter()

    def note(self, tenant: TenantId, code: str) -> None:
        """A request of the tenant was refused."""
        self._counts[tenant, day_of(self._clock.now()), code] += 1

    async def write(self, connection: asyncpg.Connection) -> None:
        """What was counted is in Postgres. A failure keeps the counts for the next time."""
        counts = dict(self._counts)
        if not counts:
            return
        columns = zip(*((*place, count) for place, count in counts.items()), strict=True)
        await connection.execute(_WRITE, *(list(column) for column in columns))
        for place, count in counts.items():
            self._counts[place] -= count
        self._counts = +self._counts
