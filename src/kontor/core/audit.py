"""Audit log: who did what to which tenant, in one hash chain per tenant that outlives the tenant.

Entries are linked last in the transaction under a lock on the chain's head. Personal fields are sealed under the
tenant's data key and the hash covers the ciphertext: after an erasure the chain still verifies and names nobody
(architecture page, "Audit"). The operator's own acts stand in the chain of the nil id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base, Tx
from kontor.core.ids import TenantId
from kontor.core.tenancy import personal, tenant_table

OPERATOR_CHAIN: Final = TenantId(UUID(int=0))
GENESIS: Final = bytes(32)
_PENDING: Final = "audit.pending"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` is our prefixed id, or the process for `system`; `address` is personal and gets sealed.

    `person` is whose data key seals it where no tenant's does.
    """

    kind: Literal["person", "api_key", "operator", "system"]
    id: str
    address: str | None = None
    person: UUID | None = None


SYSTEM: Final = Actor("system", "kontor")


class AuditEntry(Base):
    """One link. There is no foreign key to the tenant: the chain outlives it."""

    __tablename__ = "audit_entries"
    __table_args__ = (tenant_table(app="SELECT, INSERT", system="SELECT, INSERT"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    action: Mapped[str]
    target: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    personal: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    personal_owner: Mapped[UUID | None]
    previous: Mapped[bytes]
    hash: Mapped[bytes]


class AuditHead(Base):
    """The last link of each chain: what the next one builds on, and what shows that none was cut off."""

    __tablename__ = "audit_heads"
    __table_args__ = (tenant_table(app="SELECT, INSERT, UPDATE", system="SELECT, INSERT, UPDATE"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]


@dataclass(frozen=True, slots=True)
class _Pending:
    chain: TenantId
    actor: Actor
    action: str
    target: str | None
    data: Mapping[str, object]
    personal: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of one chain found; `broken_at` is the first wrong sequence number."""

    tenant: TenantId
    entries: int
    head: bytes
    broken_at: int | None
    reason: str | None

    @property
    def is_intact(self) -> bool:
        """Whether every link holds."""
        return self.broken_at is None


async def record(
    tx: Tx,
    actor: Actor,
    action: str,
    *,
    target: str | None = None,
    tenant: TenantId | None = None,
    data: Mapping[str, object] | None = None,
    personal_data: Mapping[str, object] | None = None,
) -> None:
    """The act is in the chain when this transaction commits.

    The chain is `tenant`'s, else the transaction's tenant's, else the operator's. `data` holds ids and plain values,
    `personal_data` whatever names a person; the actor's address joins the latter.
    """
    hidden = dict(personal_data or {})
    if actor.address:
        hidden["address"] = actor.address
    chain = tenant or tx.tenant or OPERATOR_CHAIN
    tx.info.setdefault(_PENDING, []).append(_Pending(chain, actor, action, target, data or {}, hidden))
    tx.before_commit("audit", _link)


async def verify(tx: Tx, tenant: TenantId) -> Verdict:
    """Walks a chain from its beginning. Works without any key, also after the tenant's erasure."""
    previous, expected = GENESIS, 1
    rows = await tx.stream_scalars(select(AuditEntry).where(AuditEntry.tenant_id == tenant).order_by(AuditEntry.seq))
    async for entry in rows:
        if entry.seq != expected:
            return Verdict(tenant, expected - 1, previous, expected, "an entry is missing")
        if entry.previous != previous:
            return Verdict(tenant, expected - 1, previous, entry.seq, "the link to the entry before is broken")
        if entry.hash != _hash(entry):
            return Verdict(tenant, expected - 1, previous, entry.seq, "the entry was changed")
        previous, expected = entry.hash, expected + 1
    head = await tx.get(AuditHead, tenant)
    if (head.seq, head.hash) != (expected - 1, previous) if head else expected > 1:
        return Verdict(tenant, expected - 1, previous, expected, "the end of the chain was cut off")
    return Verdict(tenant, expected - 1, previous, None, None)


async def chains(tx: Tx) -> list[TenantId]:
    """Every chain that there is."""
    return [TenantId(chain) for chain in await tx.scalars(select(AuditHead.tenant_id).order_by(AuditHead.tenant_id))]


async def _link(tx: Tx) -> None:
    pending: list[_Pending] = tx.info.pop(_PENDING, [])
    for chain in sorted({entry.chain for entry in pending}):
        await tx.execute(insert(AuditHead).values(tenant_id=chain, seq=0, hash=GENESIS).on_conflict_do_nothing())
        head = (await tx.scalars(select(AuditHead).where(AuditHead.tenant_id == chain).with_for_update())).one()
        for item in (entry for entry in pending if entry.chain == chain):
            owner = _owner(chain, item.actor) if item.personal else None
            entry = AuditEntry(
                tenant_id=chain,
                seq=head.seq + 1,
                at=tx.now,
                actor_kind=item.actor.kind,
                actor_id=item.actor.id,
                action=item.action,
                target=item.target,
                data=dict(item.data),
                personal=await _sealed(tx, owner, head.seq + 1, item.personal) if owner else None,
                personal_owner=owner,
                previous=head.hash,
            )
            entry.hash = _hash(entry)
            head.seq, head.hash = entry.seq, entry.hash
            tx.add(entry)
    await tx.flush()


def _owner(chain: TenantId, actor: Actor) -> UUID:
    return chain if chain != OPERATOR_CHAIN or actor.person is None else actor.person


async def _sealed(tx: Tx, owner: UUID, seq: int, hidden: Mapping[str, object]) -> bytes:
    if owner == OPERATOR_CHAIN:
        await tx.vault.create_key(owner)
    return await tx.vault.seal(owner, f"audit_entries.personal:{seq}", orjson.dumps(hidden, default=str))


def _hash(entry: AuditEntry) -> bytes:
    content = [
        str(entry.tenant_id),
        entry.seq,
        entry.at.astimezone(UTC).isoformat(),
        entry.actor_kind,
        entry.actor_id,
        entry.action,
        entry.target,
        entry.data,
        entry.personal.hex() if entry.personal is not None else None,
        str(entry.personal_owner),
    ]
    return sha256(entry.previous + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
