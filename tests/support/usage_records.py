"""Usage that lives in the test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from kontor.core.db import Database, Tx
from kontor.core.ids import TenantId

HEADER = "date,model,input tokens,output tokens,cost\r\n"


@dataclass
class FakeUsageRecords:
    rows: dict[TenantId, str] = field(default_factory=dict)

    async def as_csv(self, tx: Tx, tenant: TenantId) -> str:
        assert tx.tenant == tenant
        return HEADER + self.rows.get(tenant, "")

    async def note_content(self, tx: Tx, tenant: TenantId) -> int:
        assert tx.tenant == tenant
        return 0

    async def content(self, database: Database, tenant: TenantId, until: datetime) -> AsyncIterator[str]:
        raise AssertionError((database, tenant, until))
        yield ""

    async def erase(self, tx: Tx, tenant: TenantId) -> None:
        assert tx.tenant is None
        self.rows.pop(tenant, None)
