"""What the gateway asks of the policy: the rules in front of a request, what is missing at its end, what is prohibited.

Hits are counted by tenant, Berlin day and category, never with a word of what was said, and written by `write`.
"""

from collections.abc import Mapping
from typing import Final

import asyncpg
from prometheus_client import Counter

from kontor.billing.metering.day_counts import DayCounts
from kontor.billing.metering.dialects.dialect import Asked, Missing, Talk
from kontor.billing.metering.keys import Key
from kontor.billing.metering.policy.classifier import Category, Classifier
from kontor.billing.metering.policy.notices import needs_notice
from kontor.billing.metering.policy.packs import GENERAL, Pack
from kontor.core.clock import Clock
from kontor.core.i18n import Lang
from kontor.core.ids import TenantId

HITS: Final = Counter("kontor_gateway_prohibited_total", "Requests refused by the acceptable-use policy", ["category"])

MOST_READ_CHARS: Final = 8_000
"""What is read of a long text, at its beginning and as much at its end: reading must not hold up other requests."""

# A tenant's erasure deletes its keys first: locked here it waits, and without a key nothing is written any more.
_WRITE: Final = """
WITH known AS (
  SELECT tenant_id FROM gateway_keys WHERE tenant_id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE
)
INSERT INTO policy_hits AS h (tenant_id, day, category, hits)
SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[]) AS t (tenant_id, day, category, hits)
WHERE tenant_id IN (SELECT tenant_id FROM known) ORDER BY 1, 2, 3
ON CONFLICT (tenant_id, day, category) DO UPDATE SET hits = h.hits + excluded.hits
"""


class Guard:
    """Packs and classifier together. An unknown pack counts as the general one."""

    def __init__(self, packs: Mapping[str, Pack], classifier: Classifier, clock: Clock) -> None:
        self._packs = packs
        self._classifier = classifier
        self._hits = DayCounts(clock, _WRITE)
        self._systems: dict[tuple[str, Lang], str] = {}

    def replace(self, packs: Mapping[str, Pack]) -> None:
        """These packs count from now on."""
        self._packs = packs
        self._systems.clear()

    def rules(self, key: Key) -> str:
        """The system message that goes in front of the key's requests."""
        known = self._systems.get((key.pack, key.language))
        if known is None:
            known = self._systems[key.pack, key.language] = self._pack(key).system(key.language)
        return known

    def missing(self, key: Key) -> Missing | None:
        """What finds the notice that a final answer lacks; None when the key's pack has none."""
        pack = self._pack(key)
        if pack.notice is None:
            return None
        return lambda tail: needs_notice(pack, key.language, tail)

    def prohibits(self, dialect: Talk, asked: Asked, tenant: TenantId) -> Category | None:
        """What is prohibited in what the person has said last; the hit is counted."""
        said = dialect.said(asked)
        if len(said) > 2 * MOST_READ_CHARS:
            said = f"{said[:MOST_READ_CHARS]}\n{said[-MOST_READ_CHARS:]}"
        finding = self._classifier.classify(said)
        if finding is None:
            return None
        self._hits.note(tenant, finding.category.value)
        HITS.labels(finding.category.value).inc()
        return finding.category

    async def write(self, connection: asyncpg.Connection) -> None:
        """What was counted is in Postgres, but for erased tenants. A failure keeps the counts for the next time."""
        await self._hits.write(connection)

    def _pack(self, key: Key) -> Pack:
        return self._packs.get(key.pack) or self._packs[GENERAL]
