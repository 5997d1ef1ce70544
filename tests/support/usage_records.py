"""Usage that lives in the test."""

from dataclasses import dataclass, field

from kontor.core.db import Tx
from kontor.core.ids import TenantId

HEADER = "date,model,input tokens,output tokens,cost\r\n"


@dataclass
class FakeUsageRecords:
    rows: dict[TenantId, str] = field(default_factory=dict)

    async def as_csv(self, tx: Tx, tenant: TenantId) -> str:
        assert tx.tenant == tenant
        return HEADER + self.rows.get(tenant, "")

    async def erase(self, tx: Tx, tenant: TenantId) -> None:
        assert tx.tenant is None
        self.rows.pop(tenant, None)
