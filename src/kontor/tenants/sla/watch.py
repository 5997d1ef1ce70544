"""What the reconciler sees becomes observations: which causes are outages and which are excluded, and when to write.

Rules (product page, "SLA"): hibernation and suspension are excluded, a wake-up too while it has not failed; a failed
wake-up is downtime, and so is everything else that keeps an assistant in service from answering.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from kontor.core.db import Database
from kontor.core.ids import InstanceId
from kontor.tenants.provisioning.sightings import Cause, Sighting
from kontor.tenants.sla.observe import Observation, record_observations

EXCLUDED: Final = frozenset({Cause.HIBERNATED, Cause.SUSPENDED, Cause.WAKING})
# Well below the longest gap, so that an unchanged state costs few writes and never looks like a gap.
WRITTEN_EVERY: Final = timedelta(seconds=10)


class Watch:
    """One worker's eyes: a change is written at once, an unchanged state every ten seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[InstanceId, Observation] = {}

    async def __call__(self, sightings: list[Sighting]) -> None:
        """The intervals of all instances are true as of these sightings. Raises Unavailable."""
        seen = observations(sightings)
        fresh = [one for one in seen if self._is_news(one)]
        await record_observations(self._database, fresh)
        self._written = {one.instance: self._written[one.instance] for one in seen if one.instance in self._written}
        self._written |= {one.instance: one for one in fresh}

    def _is_news(self, seen: Observation) -> bool:
        before = self._written.get(seen.instance)
        if before is None or (before.serving, before.cause) != (seen.serving, seen.cause):
            return True
        return _is_due(before.at, seen.at)


def observations(sightings: Iterable[Sighting]) -> list[Observation]:
    """What each sighting means for availability. Who is being erased is not watched any more."""
    return [_observation(one) for one in sightings if one.cause is not Cause.ENDING]


def _observation(seen: Sighting) -> Observation:
    if seen.is_serving:
        return Observation(seen.tenant, seen.instance, seen.at, serving=True)
    cause = seen.cause or Cause.DOWN
    serving = None if cause in EXCLUDED else False
    return Observation(seen.tenant, seen.instance, seen.at, serving=serving, cause=seen.detail or cause)


def _is_due(before: datetime, now: datetime) -> bool:
    return not before <= now < before + WRITTEN_EVERY
