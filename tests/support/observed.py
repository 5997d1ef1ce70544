"""An instance that tests look at."""

from datetime import datetime, timedelta

from sqlalchemy import select

from kontor.core.db import Database
from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.tenants.sla.model import Outage
from kontor.tenants.sla.observe import Observation, record_observations


class ObservedInstance:
    """One instance that is looked at; times are seconds after the clock's beginning."""

    def __init__(self, database: Database, tenant: TenantId, begin: datetime) -> None:
        self.database, self.tenant, self.begin = database, tenant, begin
        self.id = InstanceId(new_id())

    def look(self, second: float, *, serving: bool | None, cause: str = "") -> Observation:
        return Observation(self.tenant, self.id, self.begin + timedelta(seconds=second), serving=serving, cause=cause)

    async def seen(self, *looks: Observation) -> None:
        await record_observations(self.database, looks)

    async def intervals(self) -> list[tuple[str, str, float, float, bool]]:
        async with self.database.uow(self.tenant) as tx:
            rows = await tx.scalars(select(Outage).order_by(Outage.started_at))
            return [
                (
                    row.kind,
                    row.cause,
                    (row.started_at - self.begin).total_seconds(),
                    (row.observed_until - self.begin).total_seconds(),
                    row.ended_at is None,
                )
                for row in rows
            ]
