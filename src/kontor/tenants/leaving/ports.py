"""Questions that leaving asks of billing and of the world outside; the app answers them in its adapters."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from kontor.core.db import Database, Tx
from kontor.core.ids import ErasureId, PersonId, TenantId


class UsageRecords(Protocol):
    """What billing recorded of a tenant's calls to models."""

    async def as_csv(self, tx: Tx, tenant: TenantId) -> str:
        """All usage by day and model: date, model, input tokens, output tokens, cost (RFC 4180)."""
        ...

    async def note_content(self, tx: Tx, tenant: TenantId) -> int:
        """How many calls the tenant's content log holds; if any, the audit log tells that an export takes them."""
        ...

    def content(self, database: Database, tenant: TenantId, until: datetime) -> AsyncIterator[str]:
        """Those calls until an instant, as JSON lines, in units of work of its own."""
        ...

    async def erase(self, tx: Tx, tenant: TenantId) -> None:
        """Keys, events and sums are gone, and what a journal still holds is dropped. A second call changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """One erasure as the register knows it; `persons` are those that went with the tenant."""

    erasure: ErasureId
    tenant: TenantId
    requested_at: datetime
    persons: tuple[PersonId, ...] = field(default=())


class ErasureRegister(Protocol):
    """Erasures, written down outside the database and its backups, to be repeated after a restore."""

    async def add(self, entry: Registered) -> None:
        """The entry survives a power cut from now on. The same one again changes nothing. Raises Unavailable."""
        ...

    async def entries(self) -> Sequence[Registered]:
        """One per erasure, in the order of their requests, with all persons that were ever added to it."""
        ...
