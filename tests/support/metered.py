"""A tenant with metered usage: calls of any time go the gateway's way, through journal and recorder."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.link import Link
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import Recorder
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.billing.queries import differences
from kontor.core.db import Database
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, new_id


@dataclass
class Metered:
    """`record` writes what `call` has put into the journal; each recorder knows the prices of its beginning."""

    database: Database
    folder: Path
    tenant: TenantId = field(default_factory=lambda: TenantId(new_id()))

    async def open(self) -> "Metered":
        self.journal = Journal(self.folder)
        self.link = Link(self.database.urls.gateway)
        instance = InstanceId(new_id())
        async with self.database.system_uow() as tx:
            await gateway_keys.issue_key(tx, instance)
            await gateway_keys.bind_key(tx, instance, self.tenant)
            found = await tx.scalar(text("SELECT id FROM gateway_keys WHERE instance_id = :i"), {"i": instance})
        assert isinstance(found, UUID)
        self.instance, self.key = instance, GatewayKeyId(found)
        return self

    async def close(self) -> None:
        self.journal.end()
        await self.link.close()

    def call(
        self, at: datetime, tokens: Tokens, *, model: str = "gpt-4.1-mini", provider: str = "openai"
    ) -> UsageEventId:
        """An ended call, in the journal."""
        made = UsageEventId(new_id(at))
        call = Call(made, self.tenant, self.instance, self.key, "assistant", model, provider, Tokens())
        self.journal.close(self.journal.open(call), call.ended(tokens, Outcome.ANSWERED, 12, 3))
        return made

    async def record(self) -> int:
        return await Recorder(self.journal, self.link).flush()

    async def costs(self) -> list[int | None]:
        """Nano-EUR of all calls, in their order."""
        async with self.database.system_uow() as tx:
            rows = await tx.scalars(text("SELECT cost_nano FROM usage_events ORDER BY at, id"))
            return list(rows)

    async def in_hours(self) -> tuple[int, int]:
        """Nano-EUR and unpriced calls of all hours together."""
        async with self.database.system_uow() as tx:
            row = (await tx.execute(text("SELECT sum(cost_nano), sum(unpriced_events) FROM usage_hourly"))).one()
            return int(row[0] or 0), int(row[1] or 0)

    async def problems(self) -> list[str]:
        async with self.database.system_uow() as tx:
            return await differences(tx)
