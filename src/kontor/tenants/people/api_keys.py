"""API keys of a tenant's own programs: hashed, scoped, shown once, revocable, with an expiry when wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from kontor.core.audit import Actor, record
from kontor.core.crypto import hash_secret, new_secret
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, ApiKeyId, PersonId, TenantId, encode, new_id
from kontor.tenants.people.errors import InvalidExpiry, UnknownScope
from kontor.tenants.people.model import ApiKey

SCOPES: Final = ("chat", "read", "usage", "export", "admin")
USED_EVERY: Final = timedelta(minutes=1)
_HINT: Final = 14


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What a valid key allows."""

    key: ApiKeyId
    tenant: TenantId
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as the tenant sees it: `hint` is how its secret begins."""

    id: ApiKeyId
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def key_text(key: ApiKeyId) -> str:
    """`key_...`."""
    return encode(PREFIXES["api_key"], key)


async def create(
    tx: Tx,
    tenant: TenantId,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    person: PersonId,
    by: Actor,
) -> tuple[KeyView, str]:
    """The key and its secret, which is never shown again. Raises UnknownScope, InvalidExpiry."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise UnknownScope(", ".join(SCOPES))
    if expires_at is not None and expires_at <= tx.now:
        raise InvalidExpiry
    key, secret = ApiKeyId(new_id()), new_secret("kontor")
    row = ApiKey(
        id=key,
        tenant_id=tenant,
        name=await tx.vault.seal(tenant, f"api_keys.name:{key}", name),
        hint=secret[:_HINT],
        key_hash=hash_secret(secret),
        scopes=sorted(set(scopes)),
        created_by=person,
        created_at=tx.now,
        expires_at=expires_at,
    )
    tx.add(row)
    await record(tx, by, "api_key.created", target=key_text(key), data={"scopes": row.scopes})
    return await _view(tx, row), secret


async def list_all(tx: Tx, tenant: TenantId, *, after: ApiKeyId | None, limit: int) -> list[KeyView]:
    """The newest first, also revoked ones; one more than `limit` when there are more."""
    query = select(ApiKey).where(ApiKey.tenant_id == tenant).order_by(ApiKey.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(ApiKey.id < after)
    return [await _view(tx, row) for row in await tx.scalars(query)]


async def show(tx: Tx, tenant: TenantId, key: ApiKeyId) -> KeyView:
    """One key. Raises NotFound."""
    row = await tx.scalar(select(ApiKey).where(ApiKey.tenant_id == tenant, ApiKey.id == key))
    if row is None:
        raise NotFound
    return await _view(tx, row)


async def revoke(tx: Tx, tenant: TenantId, key: ApiKeyId, by: Actor) -> None:
    """The key opens nothing any more. A second call changes nothing. Raises NotFound."""
    row = await tx.scalar(select(ApiKey).where(ApiKey.tenant_id == tenant, ApiKey.id == key).with_for_update())
    if row is None:
        raise NotFound
    if row.revoked_at is None:
        row.revoked_at = tx.now
        await record(tx, by, "api_key.revoked", target=key_text(key))


async def resolve(tx: Tx, secret: str) -> KeyHolder | None:
    """What the key with this secret allows now, or None."""
    row = await tx.scalar(select(ApiKey).where(ApiKey.key_hash == hash_secret(secret)))
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= tx.now):
        return None
    if row.last_used_at is None or tx.now - row.last_used_at > USED_EVERY:
        row.last_used_at = tx.now
    return KeyHolder(ApiKeyId(row.id), TenantId(row.tenant_id), frozenset(row.scopes))


async def _view(tx: Tx, row: ApiKey) -> KeyView:
    return KeyView(
        id=ApiKeyId(row.id),
        name=await tx.vault.open_text(row.tenant_id, f"api_keys.name:{row.id}", row.name),
        hint=row.hint,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
