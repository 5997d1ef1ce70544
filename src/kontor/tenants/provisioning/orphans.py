"""Orphans: what the runtime runs and no row tells of. They go after a grace.

An instance's row is there before the runtime hears of it and goes after the runtime has forgotten it. So whoever asks
the runtime first and reads the rows afterwards sees an instance without a row only when nobody owns it: what a worker
that had lost its lease started late, or what a restored database never knew.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import structlog

from kontor.core.ids import InstanceId

log = structlog.get_logger(__name__)

GRACE: Final = timedelta(seconds=30)
_FEW: Final = 3


class Orphans:
    """Remembers since when each orphan is seen. Forgetting that in a restart only prolongs the grace."""

    def __init__(self) -> None:
        self._since: dict[InstanceId, datetime] = {}

    def due(self, seen: Collection[InstanceId], known: Collection[InstanceId], now: datetime) -> list[InstanceId]:
        """Those that have been orphans for GRACE. None at all when the rows look like another database's.

        `seen` must have been asked for before `known` was read.
        """
        orphans = set(seen) - set(known)
        self._since = {orphan: self._since.get(orphan, now) for orphan in orphans}
        due = [orphan for orphan, since in self._since.items() if now - since >= GRACE]
        if len(due) > _FEW and len(due) * 2 > len(seen):
            # Deleting takes volumes with it, and a wrong DATABASE_URL must not cost every customer's data.
            log.error("orphans.too_many", orphans=len(due), seen=len(seen), hint="is this the right database?")
            return []
        return due
