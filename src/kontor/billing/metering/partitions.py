"""The months of `usage_events`: one partition each, made ahead of the first event that belongs there.

Why ahead: an event of a month that nobody made stands in a partition for the rest, and moving it out of there locks
that one. The function is the owner's (migrations): no process may build tables itself.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from kontor.core.db import Database

SCHEDULE: Final = "usage.partitions"
EVERY_NIGHT: Final = "41 2 * * *"
AHEAD: Final = timedelta(days=92)


async def make_months(database: Database) -> int:
    """The months up to AHEAD from now have their partitions; how many were made. Safe to repeat, and side by side."""
    async with database.system_uow() as tx:
        upto = (tx.now + AHEAD).date()
        made = await tx.scalar(text("SELECT make_usage_partitions(:upto)"), {"upto": upto})
    return int(made or 0)
