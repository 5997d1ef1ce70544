"""Asking for an erasure, and the receipt by which anybody who holds it can follow it. Carrying it out: eraser.

The receipt's token is not stored: it follows from the erasure's id and the master key. So a second request gives the
same receipt, and the receipt holds after a restore of the database too.
"""

import base64
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from kontor.core.audit import Actor
from kontor.core.crypto import Vault
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import ErasureId, TenantId, new_id
from kontor.core.jobs import enqueue
from kontor.tenants.leaving.errors import NotConfirmed
from kontor.tenants.leaving.model import Erasure, ErasureStep
from kontor.tenants.lifecycle import end
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.ports import GatewayKeys
from kontor.tenants.provisioning.model import Assignment

ADVANCE_JOB: Final = "erasure.advance"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the owner gets at once. The token opens the public proof."""

    erasure: ErasureId
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """An erasure as the holder of the receipt sees it; `proof` is what was measured at the end."""

    erasure: ErasureId
    tenant: TenantId
    step: ErasureStep
    requested_at: datetime
    done_at: datetime | None
    proof: Mapping[str, object] | None


async def request_erasure(tx: Tx, tenant: TenantId, by: Actor, keys: GatewayKeys, *, confirm: str) -> Receipt:
    """As begin_erasure, when `confirm` is the company's name. Raises NotConfirmed, NotFound."""
    row = await tenant_of(tx, tenant, lock=True)
    if _plain(confirm) != _plain((await profile_of(tx.vault, row)).legal_name):
        raise NotConfirmed
    return await begin_erasure(tx, tenant, by, keys)


async def begin_erasure(tx: Tx, tenant: TenantId, by: Actor, keys: GatewayKeys) -> Receipt:
    """The tenant is erasing, nothing brings it back, and its keys for models are off when this commits.

    A second call changes nothing and gives the same receipt. Raises NotFound.
    """
    await end.request_erasure(tx, tenant, by)
    await keys.revoke_tenant(tx, tenant)
    instances = (await tx.scalars(select(Assignment.instance_id).where(Assignment.tenant_id == tenant))).all()
    made = await tx.scalar(
        insert(Erasure)
        .values(
            id=new_id(),
            erased_tenant_id=tenant,
            step=ErasureStep.REGISTER,
            tries=0,
            instances=list(instances),
            persons=[],
            requested_at=tx.now,
            due_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(Erasure.id)
    )
    if made is not None:
        await enqueue(tx, ADVANCE_JOB, {"erasure": str(made)}, tenant=tenant)
    found = (await tx.scalars(select(Erasure.id).where(Erasure.erased_tenant_id == tenant))).one()
    return receipt_of(tx.vault, ErasureId(found))


def receipt_of(vault: Vault, erasure: ErasureId) -> Receipt:
    """The receipt of an erasure; its token has 256 bits that only the master key gives."""
    token = base64.urlsafe_b64encode(vault.blind_index(f"erasure-receipt|{erasure}"))
    return Receipt(erasure, token.decode().rstrip("="))


async def progress_of(tx: Tx, erasure: ErasureId, token: str) -> Progress:
    """How far it is, for whoever holds the receipt. Needs a system unit of work. Raises NotFound."""
    if not hmac.compare_digest(receipt_of(tx.vault, erasure).token.encode(), token.encode()):
        raise NotFound
    row = await tx.get(Erasure, UUID(str(erasure)))
    if row is None:
        raise NotFound
    return Progress(
        erasure, TenantId(row.erased_tenant_id), ErasureStep(row.step), row.requested_at, row.done_at, row.proof
    )


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())
