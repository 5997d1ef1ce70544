"""A tenant's keys for its own programs, as the tenant sees them: made, listed with what they have spent, revoked.

Owns names, budgets and the audit log; the keys themselves: gateway_keys. Each key has a budget of its own for the
month, capped or not, so that what it has spent is known without a look at its calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from kontor.billing.errors import KeyExpiryPast
from kontor.billing.metering import gateway_keys
from kontor.billing.metering.budgets.limits import Caps, set_budget
from kontor.billing.metering.budgets.periods import Period
from kontor.billing.metering.budgets.standing import Standing, standings
from kontor.billing.metering.gateway_keys import sealed_name
from kontor.billing.metering.model import GatewayKey
from kontor.core.audit import Actor, record
from kontor.core.db import Tx
from kontor.core.i18n import Lang
from kontor.core.ids import PREFIXES, GatewayKeyId, TenantId, encode
from kontor.core.money import decimal_of_nano


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a tenant asks for. `expires_at` None: never."""

    name: str
    expires_at: datetime | None
    caps: Caps


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds all calls of a tenant: language of refusals, data residency, policy pack."""

    language: Lang
    residency: str
    pack: str


@dataclass(frozen=True, slots=True)
class DirectKey:
    """A key as its tenant sees it: `hint` is how its secret begins; `day` is None without a cap a day."""

    id: GatewayKeyId
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    month: Standing
    day: Standing | None


async def create(tx: Tx, tenant: TenantId, wanted: NewKey, rules: Rules, by: Actor) -> tuple[DirectKey, str]:
    """The key and its secret, which is never shown again. Raises KeyExpiryPast."""
    if wanted.expires_at is not None and wanted.expires_at <= tx.now:
        raise KeyExpiryPast
    key, secret = await gateway_keys.issue_direct_key(
        tx,
        tenant,
        rules.language,
        rules.residency,
        pack=rules.pack,
        name=wanted.name,
        expires_at=wanted.expires_at,
    )
    await set_budget(tx, tenant, "month", cap_nano=wanted.caps.month_nano, key=key)
    if wanted.caps.day_nano is not None:
        await set_budget(tx, tenant, "day", cap_nano=wanted.caps.day_nano, key=key)
    data = {
        "expires_at": wanted.expires_at.isoformat() if wanted.expires_at else None,
        "month_eur": _eur(wanted.caps.month_nano),
        "day_eur": _eur(wanted.caps.day_nano),
    }
    await record(tx, by, "gateway_key.created", target=key_text(key), data=data)
    row = (await tx.scalars(select(GatewayKey).where(GatewayKey.tenant_id == tenant, GatewayKey.id == key))).one()
    return await _view(tx, tenant, row, (await standings(tx, tenant, [key]))[key]), secret


async def list_all(tx: Tx, tenant: TenantId, *, after: GatewayKeyId | None, limit: int) -> list[DirectKey]:
    """The newest first, also revoked ones; one more than `limit` when there are more."""
    query = (
        select(GatewayKey)
        .where(GatewayKey.tenant_id == tenant, GatewayKey.kind == "direct")
        .order_by(GatewayKey.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(GatewayKey.id < after)
    rows = (await tx.scalars(query)).all()
    spent = await standings(tx, tenant, [GatewayKeyId(row.id) for row in rows])
    return [await _view(tx, tenant, row, spent[GatewayKeyId(row.id)]) for row in rows]


async def revoke(tx: Tx, tenant: TenantId, key: GatewayKeyId, by: Actor) -> None:
    """The key opens nothing any more. A second call changes nothing. Raises NotFound."""
    if await gateway_keys.revoke_direct_key(tx, tenant, key):
        await record(tx, by, "gateway_key.revoked", target=key_text(key))


def key_text(key: GatewayKeyId) -> str:
    """`gwk_...`."""
    return encode(PREFIXES["gateway_key"], key)


async def _view(tx: Tx, tenant: TenantId, row: GatewayKey, spent: Mapping[Period, Standing]) -> DirectKey:
    key = GatewayKeyId(row.id)
    return DirectKey(
        id=key,
        name="" if row.name is None else await tx.vault.open_text(tenant, sealed_name(key), row.name),
        hint=row.hint or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        month=spent["month"],
        day=spent.get("day"),
    )


def _eur(nano: int | None) -> str | None:
    return None if nano is None else f"{decimal_of_nano(nano, 2):f}"
