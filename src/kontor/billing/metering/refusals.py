"""How many requests of each tenant were refused, by Berlin day and code."""

from typing import Final

from kontor.billing.metering.day_counts import DayCounts
from kontor.core.clock import Clock

# Not for a tenant that was erased in the meantime.
_WRITE: Final = """
INSERT INTO gateway_refusals AS r (tenant_id, day, code, requests)
SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[]) AS t (tenant_id, day, code, requests)
WHERE EXISTS (SELECT FROM gateway_keys k WHERE k.tenant_id = t.tenant_id) ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, day, code) DO UPDATE SET requests = r.requests + excluded.requests
"""


class Refusals(DayCounts):
    """By code."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, _WRITE)
