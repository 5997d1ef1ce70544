"""The gateway's part of the content log: what passed to a caller goes, sealed, into Postgres, or it is dropped.

Only calls of keys that carry a content key come here. The log is not the meter: while Postgres is away, or when more
comes than can be written, rows are dropped and counted. Nothing is kept on disk or logged; plain text is in memory
until it is sealed, for about half a second.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter

from kontor.billing.metering.caller import Tape
from kontor.billing.metering.content.box import MOST_BYTES, seal_content
from kontor.billing.metering.forward import Order
from kontor.billing.metering.keys import Key
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.core.clock import Clock
from kontor.core.ids import TenantId, new_id

log = structlog.get_logger(__name__)

PAUSE_S: Final = 0.5
BATCH: Final = 100
MOST_ENTRIES: Final = 2_000
MOST_QUEUED_BYTES: Final = 32 * 1024 * 1024

WRITTEN: Final = Counter("kontor_gateway_content_written_total", "Calls written to tenants' content logs")
DROPPED: Final = Counter(
    "kontor_gateway_content_dropped_total", "Calls that are missing in tenants' content logs", ["reason"]
)

# FOR SHARE waits for whoever switches the log off, or erases the tenant, and then finds the key without it.
_WRITE: Final = """
WITH known AS (
  SELECT id FROM gateway_keys WHERE id = ANY($4::uuid[]) AND content_key IS NOT NULL ORDER BY id FOR SHARE
)
INSERT INTO content_entries (tenant_id, id, at, key_id, instance_id, model, dialect, status, request_bytes,
  answer_bytes, is_truncated, content)
SELECT t.* FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
  $8::int[], $9::bigint[], $10::bigint[], $11::bool[], $12::bytea[]) AS t (tenant_id, id, at, key_id, instance_id,
  model, dialect, status, request_bytes, answer_bytes, is_truncated, content)
JOIN known ON known.id = t.key_id
"""


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Key
    tenant: TenantId
    public: bytes
    id: UUID
    at: datetime
    model: str
    dialect: str
    status: int | None
    request: bytes
    request_bytes: int
    answer: bytes
    answer_bytes: int

    @property
    def held_bytes(self) -> int:
        return len(self.request) + len(self.answer)

    def row(self) -> tuple[object, ...]:
        """Sealed."""
        is_truncated = self.held_bytes < self.request_bytes + self.answer_bytes
        content = seal_content(self.public, self.tenant, self.id, self.request, self.answer)
        key, sizes = self.key, (self.request_bytes, self.answer_bytes, is_truncated)
        what = (self.model, self.dialect, self.status)
        return (self.tenant, self.id, self.at, key.id, key.instance, *what, *sizes, content)


class ContentWriter:
    """A bounded queue. Run it beside the server; `flush` once more when the server has ended."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._waiting: deque[_Entry] = deque()
        self._held_bytes = 0

    def put(self, order: Order, request: bytes, tape: Tape) -> None:
        """The call is in the tenant's log in a moment, or dropped. Does nothing for a key without a content log."""
        if order.key.content_key is None:
            return
        now = self._clock.now()
        entry = _Entry(
            order.key,
            order.tenant,
            order.key.content_key,
            tape.request_id or new_id(now),
            now,
            order.asked.model,
            order.dialect.name,
            tape.status,
            request[:MOST_BYTES],
            len(request),
            bytes(tape.kept),
            tape.total_bytes,
        )
        if len(self._waiting) >= MOST_ENTRIES or self._held_bytes + entry.held_bytes > MOST_QUEUED_BYTES:
            DROPPED.labels("full").inc()
            return
        self._waiting.append(entry)
        self._held_bytes += entry.held_bytes

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                await self.flush()
            except (asyncpg.PostgresError, OSError, ValueError):  # a bug or a missing right: the calls go on
                log.exception("content.write_failed")

    async def flush(self) -> None:
        """Nothing waits any more: what was put is in Postgres, or dropped because that is away."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._held_bytes -= sum(entry.held_bytes for entry in batch)
            written = 0
            try:
                rows = await asyncio.to_thread(_rows, batch)
                async with self._link.connection() as connection:
                    said = await connection.execute(_WRITE, *(list(column) for column in zip(*rows, strict=True)))
                written = int(said.rpartition(" ")[2])
                WRITTEN.inc(written)
                DROPPED.labels("off").inc(len(batch) - written)
            except DatabaseAway:
                DROPPED.labels("away").inc(len(batch))
            except Exception:
                DROPPED.labels("failed").inc(len(batch))
                raise


def _rows(batch: Sequence[_Entry]) -> list[tuple[object, ...]]:
    return [entry.row() for entry in batch]
