"""An instance's two secrets: its token, and its key for the gateway. Sealed under the data key of `sealed_for`."""

from dataclasses import dataclass
from uuid import UUID

from kontor.core.crypto import Vault
from kontor.tenants.provisioning.model import Instance

TOKEN_PREFIX = "kit"  # noqa: S105 - the prefix of every token, not a token


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """In the clear. `token` opens the instance, `gateway_key` is what the instance shows to our gateway."""

    token: str
    gateway_key: str


async def open_secrets(vault: Vault, instance: Instance) -> Secrets | None:
    """None before they are minted. Raises KeyDestroyed."""
    if instance.token is None or instance.gateway_key is None:
        return None
    return Secrets(
        token=await vault.open_text(instance.sealed_for, _aad("token", instance.id), instance.token),
        gateway_key=await vault.open_text(instance.sealed_for, _aad("gateway_key", instance.id), instance.gateway_key),
    )


async def seal_secrets(vault: Vault, instance: Instance, owner: UUID, secrets: Secrets) -> None:
    """The row holds them under the owner's data key. Raises KeyDestroyed."""
    instance.token = await vault.seal(owner, _aad("token", instance.id), secrets.token)
    instance.gateway_key = await vault.seal(owner, _aad("gateway_key", instance.id), secrets.gateway_key)
    instance.sealed_for = owner


async def warm(vault: Vault, owner: UUID) -> None:
    """The owner's data key is at hand for the next seconds, so that no transaction waits for the key store.

    Raises KeyDestroyed.
    """
    await vault.seal(owner, "warm", b"")


def _aad(column: str, instance: UUID) -> str:
    return f"instances.{column}:{instance}"
