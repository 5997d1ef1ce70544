"""Which key a caller has, answered from memory.

Changes arrive by NOTIFY and by a poll each second of what changed lately; the poll is the truth, the notice only
hurries it. While Postgres is away, what is known stays good for `GRACE_S`, then calls are refused. A wrong key costs
one lookup, remembered in a bounded list. Source: gateway page, "Keys".
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from kontor.billing.metering.keys import CHANNEL, Key, key_of
from kontor.billing.metering.link import DatabaseAway, Link, translated
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text

log = structlog.get_logger(__name__)

GRACE_S: Final = 300.0
POLL_S: Final = 1.0
_REREAD_S: Final = 60.0
_AGAIN_S: Final = 1.0
_MOST_UNKNOWN: Final = 10_000

_COLUMNS: Final = (
    "key_hash, id, kind, instance_id, tenant_id, state, language, revoked_at IS NOT NULL, residency, pack, "
    "content_key, expires_at"
)
_ONE: Final = f"SELECT {_COLUMNS} FROM gateway_keys WHERE key_hash = $1"  # noqa: S608 - constants
# Longer than any transaction may last (statement and idle timeouts of the roles), so that none slips through.
_CHANGED: Final = f"SELECT {_COLUMNS} FROM gateway_keys WHERE changed_at > clock_timestamp() - interval '3 minutes'"  # noqa: S608


class KeysUnavailable(Unavailable):
    """Postgres is away, and what we knew of the key is unknown or too old."""

    def __init__(self) -> None:
        super().__init__(
            "gateway.unavailable",
            Text(
                de="Der Dienst ist für einen Augenblick nicht erreichbar. Versuchen Sie es gleich noch einmal.",
                en="The service is unavailable for a moment. Please try again shortly.",
            ),
        )


@dataclass(slots=True)
class _Known:
    key: Key
    read_at: float


class KeyCache:
    """Keys by the hash of their secret. `follow` keeps it true; run it beside the server."""

    def __init__(self, link: Link, *, grace_s: float = GRACE_S, now: Callable[[], float] = monotonic) -> None:
        self._link = link
        self._grace_s = grace_s
        self._now = now
        self._known: dict[bytes, _Known] = {}
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[Key | None]] = {}
        self._polled_at = 0.0
        self.is_away = False
        self._hurry = asyncio.Event()

    def at_hand(self, key_hash: bytes) -> Key | None:
        """The key, if it is known and was read lately; None says nothing."""
        known = self._known.get(key_hash)
        return known.key if known is not None and self._now() - known.read_at <= _REREAD_S else None

    async def find(self, key_hash: bytes) -> Key | None:
        """The key, or None for one that was never issued or is forgotten. Raises KeysUnavailable."""
        now = self._now()
        known = self._known.get(key_hash)
        if known is not None:
            if now - known.read_at <= _REREAD_S:
                return known.key
            if self.is_away:
                if now - max(known.read_at, self._polled_at) > self._grace_s:
                    raise KeysUnavailable
                return known.key
        elif (seen := self._unknown.get(key_hash)) is not None and now - seen <= _REREAD_S:
            return None
        try:
            return await self._read_once(key_hash)
        except DatabaseAway as error:
            self.is_away = True
            if known is not None and now - max(known.read_at, self._polled_at) <= self._grace_s:
                return known.key
            raise KeysUnavailable from error

    async def follow(self) -> None:
        """Until cancelled: hears of changes, and polls each second in case it did not."""
        while True:
            try:
                await self._follow_connected()
            except DatabaseAway as error:
                if not self.is_away:
                    log.warning("gateway.database_away", error=str(error))
                self.is_away = True
                await asyncio.sleep(_AGAIN_S)

    async def _follow_connected(self) -> None:
        connection = await self._link.dedicated()
        try:
            with translated():
                await connection.add_listener(CHANNEL, self._heard)
            # While nobody listened, keys may have been forgotten without a trace: read each anew at its next use.
            for known in self._known.values():
                known.read_at = min(known.read_at, self._now() - _REREAD_S - 1)
            while True:
                self._hurry.clear()
                with translated():
                    rows = await connection.fetch(_CHANGED)
                self._learn(rows)
                if self.is_away:
                    log.info("gateway.database_back")
                self.is_away, self._polled_at = False, self._now()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._hurry.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, _channel: str, what: object) -> None:
        verb, _, tenant = str(what).partition(":")
        if verb == "forget":
            gone = UUID(tenant)
            self._known = {of: known for of, known in self._known.items() if known.key.tenant != gone}
        self._hurry.set()

    def _learn(self, rows: list[asyncpg.Record]) -> None:
        for row in rows:
            if row[0] in self._known:
                self._known[row[0]] = _Known(key_of(row[1:]), self._now())
            self._unknown.pop(row[0], None)

    async def _read_once(self, key_hash: bytes) -> Key | None:
        """Whoever asks while a lookup is under way has its answer. Raises DatabaseAway."""
        reading = self._reading.get(key_hash)
        if reading is None:
            reading = self._reading[key_hash] = asyncio.create_task(self._read(key_hash))
            reading.add_done_callback(lambda _: self._reading.pop(key_hash))
        return await asyncio.shield(reading)

    async def _read(self, key_hash: bytes) -> Key | None:
        async with self._link.connection() as connection:
            row = await connection.fetchrow(_ONE, key_hash)
        if row is None:
            self._known.pop(key_hash, None)
            self._unknown[key_hash] = self._now()
            while len(self._unknown) > _MOST_UNKNOWN:
                self._unknown.popitem(last=False)
            return None
        key = key_of(row[1:])
        self._known[key_hash] = _Known(key, self._now())
        return key
