"""The gateway's keys as values: minting, hashing, and what a key says about its caller. Pure.

Issuing and revoking: gateway_keys. Looking one up on the hot path: key_cache.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from kontor.core.crypto import hash_secret, new_secret
from kontor.core.i18n import Lang
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId

PREFIX: Final = "kgw"
CHANNEL: Final = "kontor_gateway_keys"
_MAX_LENGTH: Final = 200

Kind = Literal["instance", "direct"]
State = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class Key:
    """A known key. `tenant` is None while its instance waits in the pool; `pack` is the tenant's policy pack.

    `content_key` is None unless the tenant has switched its content log on.
    """

    id: GatewayKeyId
    kind: Kind
    instance: InstanceId | None
    tenant: TenantId | None
    state: State
    language: Lang
    is_revoked: bool
    residency: str = "eu"
    pack: str = "general"
    content_key: bytes | None = None
    expires_at: datetime | None = None

    def is_good(self) -> bool:
        """Whether it opens anything now, by this machine's clock."""
        return not self.is_revoked and (self.expires_at is None or datetime.now(UTC) < self.expires_at)


_Row = tuple[UUID, str, UUID | None, UUID | None, str, str, bool, str, str, bytes | None, datetime | None]


def mint() -> tuple[str, bytes]:
    """A new secret of 256 random bits, `kgw_...`, and the hash under which it is known."""
    secret = new_secret(PREFIX)
    return secret, hash_secret(secret)


def bearer(header: bytes | None) -> bytes | None:
    """The hash of the key in an Authorization header; None for anything that cannot be one of ours."""
    if header is None or header[:7].lower() != b"bearer ":
        return None
    return key_hash(header[7:])


def key_hash(secret: bytes | None) -> bytes | None:
    """The hash of a key as it stands in a header; None for anything that cannot be one of ours."""
    if secret is None or len(secret) > _MAX_LENGTH:
        return None
    secret = secret.strip()
    return hash_secret(secret) if secret.startswith(b"kgw_") and secret.isascii() else None


def key_of(row: _Row) -> Key:
    """From the columns that key_cache reads, which are in the order of a Key's fields."""
    id_, kind, instance, tenant, state, language, is_revoked, residency, pack, content_key, expires_at = row
    return Key(
        GatewayKeyId(id_),
        "instance" if kind == "instance" else "direct",
        InstanceId(instance) if instance else None,
        TenantId(tenant) if tenant else None,
        "active" if state == "active" else "suspended",
        "en" if language == "en" else "de",
        is_revoked,
        residency,
        pack,
        content_key,
        expires_at,
    )
