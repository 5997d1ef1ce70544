"""Issuing, binding, suspending and revoking the gateway's keys, in the caller's transaction.

Each change is told to the gateways when the transaction commits (NOTIFY) and found by their poll within a second.
Issuing an instance's key and binding it need a system unit of work: until then a key has no tenant.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import ScalarSelect, Update, delete, func, insert, select, text, update

from kontor.billing.errors import KeyUnknown
from kontor.billing.metering.content.model import ContentLog
from kontor.billing.metering.keys import CHANNEL, State, mint
from kontor.billing.metering.model import GatewayKey
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.i18n import Lang
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, new_id

_NOTIFY: Final = text("SELECT pg_notify(:channel, :what)")
_CHANGED: Final = func.clock_timestamp()
_HINT: Final = 11


async def issue_key(tx: Tx, instance: InstanceId) -> str:
    """The instance has a new key beside its older ones; the secret is returned and stored nowhere.

    The key is refused until it is bound to a tenant.
    """
    secret, key_hash = mint()
    await tx.execute(
        insert(GatewayKey).values(
            id=new_id(), key_hash=key_hash, kind="instance", instance_id=instance, created_at=tx.now
        )
    )
    await _tell(tx)
    return secret


async def issue_direct_key(
    tx: Tx,
    tenant: TenantId,
    language: Lang = "de",
    residency: str = "eu",
    *,
    pack: str = "general",
    name: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[GatewayKeyId, str]:
    """The tenant has a key for its own programs; its id, and the secret, which is stored nowhere."""
    secret, key_hash = mint()
    key = GatewayKeyId(new_id())
    await tx.execute(
        insert(GatewayKey).values(
            id=key,
            key_hash=key_hash,
            kind="direct",
            tenant_id=tenant,
            language=language,
            residency=residency,
            pack=pack,
            content_key=_content_key(tenant),
            name=None if name is None else await tx.vault.seal(tenant, sealed_name(key), name),
            hint=secret[:_HINT],
            created_at=tx.now,
            expires_at=expires_at,
        )
    )
    await _tell(tx)
    return key, secret


async def bind_key(
    tx: Tx,
    instance: InstanceId,
    tenant: TenantId,
    language: Lang = "de",
    residency: str = "eu",
    *,
    pack: str = "general",
) -> None:
    """The instance's keys call models for the tenant, only such as its choice of data residency permits.

    The rules of the policy pack go with every call; refusals are in the tenant's language. A second call changes
    nothing.

    Raises KeyUnknown when the instance has no key, or only another tenant's.
    """
    bound = await _change(
        tx,
        update(GatewayKey)
        .where(GatewayKey.instance_id == instance)
        .where(GatewayKey.tenant_id.is_(None) | (GatewayKey.tenant_id == tenant))
        .values(tenant_id=tenant, language=language, residency=residency, pack=pack, content_key=_content_key(tenant)),
    )
    if not bound:
        raise KeyUnknown


async def set_key_state(tx: Tx, tenant: TenantId, state: State) -> None:
    """All the tenant's keys are `active`, or `suspended`: then calls are answered with the notice and cost nothing."""
    await _change(tx, update(GatewayKey).where(GatewayKey.tenant_id == tenant).values(state=state))


async def set_key_language(tx: Tx, tenant: TenantId, language: Lang) -> None:
    """Refusals reach the tenant's people in this language."""
    await _change(tx, update(GatewayKey).where(GatewayKey.tenant_id == tenant).values(language=language))


async def set_content_key(tx: Tx, tenant: TenantId, public: bytes | None) -> None:
    """What the tenant's calls say is logged for this public key from now on; None: not at all."""
    await _change(tx, update(GatewayKey).where(GatewayKey.tenant_id == tenant).values(content_key=public))


async def revoke_keys(tx: Tx, tenant: TenantId) -> None:
    """No key of the tenant is good any more. A second call changes nothing."""
    await _change(tx, _revoke(tx).where(GatewayKey.tenant_id == tenant))


async def revoke_direct_key(tx: Tx, tenant: TenantId, key: GatewayKeyId) -> bool:
    """The tenant's direct key is not good any more; whether it was until now. Raises NotFound."""
    row = await tx.scalar(
        select(GatewayKey)
        .where(GatewayKey.tenant_id == tenant, GatewayKey.kind == "direct", GatewayKey.id == key)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    return await _change(tx, _revoke(tx).where(GatewayKey.tenant_id == tenant, GatewayKey.id == key)) > 0


async def revoke_instance_key(tx: Tx, instance: InstanceId) -> None:
    """No key of the instance is good any more. A second call changes nothing."""
    await _change(tx, _revoke(tx).where(GatewayKey.instance_id == instance))


async def forget_keys(tx: Tx, tenant: TenantId) -> int:
    """The tenant's keys are gone, and usage that still comes in for them is dropped; how many keys."""
    gone = await tx.scalars(delete(GatewayKey).where(GatewayKey.tenant_id == tenant).returning(GatewayKey.id))
    await _tell(tx, f"forget:{tenant}")
    return len(gone.all())


async def has_key(tx: Tx, instance: InstanceId) -> bool:
    """Whether the instance has a key that is not revoked."""
    found = select(GatewayKey.id).where(GatewayKey.instance_id == instance, GatewayKey.revoked_at.is_(None))
    return (await tx.scalar(found.limit(1))) is not None


def _content_key(tenant: TenantId) -> ScalarSelect[bytes]:
    """The public key of the tenant's content log while it is on; whoever switches it waits for this transaction."""
    found = select(ContentLog.public_key).where(ContentLog.tenant_id == tenant, ContentLog.is_on)
    return found.with_for_update(read=True).scalar_subquery()


def sealed_name(key: GatewayKeyId) -> str:
    """Under which label the key's name is sealed."""
    return f"gateway_keys.name:{key}"


def _revoke(tx: Tx) -> Update:
    return update(GatewayKey).where(GatewayKey.revoked_at.is_(None)).values(revoked_at=tx.now)


async def _change(tx: Tx, change: Update) -> int:
    changed = await tx.scalars(change.values(changed_at=_CHANGED).returning(GatewayKey.id))
    await _tell(tx)
    return len(changed.all())


async def _tell(tx: Tx, what: str = "changed") -> None:
    await tx.execute(_NOTIFY, {"channel": CHANNEL, "what": what})
