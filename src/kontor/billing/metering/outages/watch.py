"""What the circuits of this process see becomes intervals, in memory first and in Postgres a moment later.

Opened when a circuit opens, reaching to each failed try after that, and closed by an answer. Nobody tries without a
caller: where the next try comes later than LONGEST_GAP, the time between is not claimed. While Postgres is away
intervals wait in memory, at most MOST_WAITING of them; a process that is killed loses the last second. Beside them
stands which deployments each route has, whenever that changes. Not for threads.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from kontor.billing.metering.catalogue import Catalogue
from kontor.billing.metering.outages.cause import OF_PROVIDER, Cause
from kontor.billing.metering.outages.spans import LONGEST_GAP
from kontor.core.clock import Clock
from kontor.core.ids import new_id

MOST_WAITING: Final = 1_000
NOBODY: Final[tuple[str, ...]] = ()
Routes = dict[tuple[str, str, str], tuple[str, ...]]
_NEXT: Final = timedelta(microseconds=1)

DROPPED: Final = Counter(
    "kontor_gateway_outages_dropped_total", "Outages of providers that could not be kept until Postgres came back"
)

_WRITE: Final = """
INSERT INTO provider_outages (id, gateway, deployment, is_third_party, cause, started_at, observed_until, ended_at)
SELECT t.id, $8, t.deployment, t.is_third_party, t.cause, t.started_at, t.observed_until, t.ended_at
FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])
  AS t (id, deployment, is_third_party, cause, started_at, observed_until, ended_at)
ON CONFLICT (id) DO UPDATE SET observed_until = excluded.observed_until, ended_at = excluded.ended_at
"""
_ROUTES: Final = """
SELECT DISTINCT ON (model, dialect, residency) model, dialect, residency, deployments, since
FROM model_routes ORDER BY model, dialect, residency, since DESC
"""
_WRITE_ROUTE: Final = """
INSERT INTO model_routes (model, dialect, residency, deployments, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Interval:
    """An outage as far as this process saw it."""

    id: UUID
    deployment: str
    is_third_party: bool
    cause: Cause
    started_at: datetime
    observed_until: datetime
    ended_at: datetime | None = None


class OutageWatch:
    """The witness of this process's circuits. `gateway` names the process."""

    def __init__(self, clock: Clock, gateway: UUID, catalogue: Catalogue) -> None:
        self._clock = clock
        self._gateway = gateway
        self._open: dict[str, Interval] = {}
        self._waiting: dict[UUID, Interval] = {}
        self.use(catalogue)

    def use(self, catalogue: Catalogue) -> None:
        """The routes are this catalogue's from now on."""
        self._foreign = {one.name for one in catalogue.deployments if one.sub_processor}
        self._routes: Routes = {key: tuple(one.name for one in route) for key, route in catalogue.routes.items()}
        self._routes_since: datetime | None = self._clock.now()

    def failed(self, deployment: str, cause: Cause) -> None:
        """Its circuit has opened, or a try through an open one has failed."""
        now, current = self._clock.now(), self._open.get(deployment)
        if current is not None:
            is_same = (cause in OF_PROVIDER) == (current.cause in OF_PROVIDER)
            if is_same and now - current.observed_until <= LONGEST_GAP:
                self._keep(replace(current, observed_until=max(now, current.observed_until)))
                return
            self._end(current, now)
        is_third_party = deployment in self._foreign
        self._keep(Interval(new_id(now), deployment, is_third_party, cause, now, now))

    def answered(self, deployment: str) -> None:
        """Its circuit was open, and it answers."""
        if (current := self._open.get(deployment)) is not None:
            self._end(current, self._clock.now())

    async def write(self, connection: asyncpg.Connection) -> None:
        """What was seen so far is in Postgres. A second call with the same changes nothing."""
        if (since := self._routes_since) is not None:
            await self._write_routes(connection, self._routes, since)
            if self._routes_since is since:
                self._routes_since = None
        if not self._waiting:
            return
        batch = list(self._waiting.values())
        rows = [
            (one.id, one.deployment, one.is_third_party, one.cause, one.started_at, one.observed_until, one.ended_at)
            for one in batch
        ]
        await connection.execute(_WRITE, *(list(column) for column in zip(*rows, strict=True)), self._gateway)
        for one in batch:
            if self._waiting.get(one.id) is one:
                del self._waiting[one.id]

    @property
    def has_news(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._waiting) or self._routes_since is not None

    async def _write_routes(self, connection: asyncpg.Connection, routes: Routes, since: datetime) -> None:
        newest = {(row[0], row[1], row[2]): (tuple(row[3]), row[4]) for row in await connection.fetch(_ROUTES)}
        wanted = dict.fromkeys(newest, NOBODY) | routes
        changed = []
        for key, names in sorted(wanted.items()):
            known, last = newest.get(key, (None, None))
            if known != names:
                # The newest row holds: another process's clock may have been ahead of this one's.
                changed.append((*key, names, since if last is None else max(since, last + _NEXT)))
        await connection.executemany(_WRITE_ROUTE, changed)

    def _end(self, current: Interval, now: datetime) -> None:
        """It lasted until now, or until its last failed try when that is too long ago."""
        until = current.observed_until
        if timedelta(0) < now - until <= LONGEST_GAP:
            until = now
        self._keep(replace(current, observed_until=until, ended_at=until))
        del self._open[current.deployment]

    def _keep(self, interval: Interval) -> None:
        if interval.id not in self._waiting and len(self._waiting) >= MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            DROPPED.inc()
        self._waiting[interval.id] = interval
        self._open[interval.deployment] = interval
