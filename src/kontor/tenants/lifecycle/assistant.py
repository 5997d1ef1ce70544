"""What the tenant says about its assistant: display name and system prompt, sealed, with a revision as ETag."""

from dataclasses import dataclass
from uuid import UUID

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.crypto import Vault
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.errors import ChangedMeanwhile, NotPossible
from kontor.tenants.events import AssistantSettingsChanged
from kontor.tenants.lifecycle import fields
from kontor.tenants.lifecycle.files import renew_files
from kontor.tenants.lifecycle.rows import settings_of, target_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.provisioning.model import AssistantSettings


@dataclass(frozen=True, slots=True)
class AssistantText:
    """Display name and system prompt in the clear; `revision` counts their changes."""

    display_name: str
    system_prompt: str
    revision: int


async def read_assistant(tx: Tx, tenant: TenantId) -> AssistantText:
    """The settings as they are stored. Raises NotFound, KeyDestroyed."""
    return await opened(tx.vault, await settings_of(tx, tenant))


async def edit_assistant(
    tx: Tx,
    tenant: TenantId,
    by: Actor,
    *,
    expected: int,
    display_name: str | None = None,
    system_prompt: str | None = None,
) -> AssistantText:
    """The assistant uses name and prompt from its next turn on; None leaves one as it is.

    The same text again changes nothing. Raises ChangedMeanwhile when the stored revision is not `expected`,
    FieldInvalid, NotFound, NotPossible (the tenant is being erased).
    """
    owner = await tenant_of(tx, tenant, lock=True)
    if owner.state == TenantState.ERASING:
        raise NotPossible(TenantState.ERASING, TenantState.ACTIVE)
    row = await settings_of(tx, tenant, lock=True)
    if row.revision != expected:
        raise ChangedMeanwhile(row.revision)
    old = await opened(tx.vault, row)
    new = AssistantText(
        display_name=old.display_name
        if display_name is None
        else fields.line("display_name", display_name, longest=fields.DISPLAY_NAME_LENGTH),
        system_prompt=old.system_prompt
        if system_prompt is None
        else fields.paragraphs("system_prompt", system_prompt, longest=fields.PROMPT_LENGTH),
        revision=row.revision,
    )
    if new == old:
        return old
    sealed = await seal_settings(tx, tenant, new.display_name, new.system_prompt)
    row.display_name, row.system_prompt, row.updated_at = sealed.display_name, sealed.system_prompt, tx.now
    row.revision += 1
    changed = [name for name in ("display_name", "system_prompt") if getattr(new, name) != getattr(old, name)]
    await renew_files(tx, tenant)
    await audit.record(
        tx,
        by,
        "assistant.edited",
        target=target_of(tenant),
        tenant=tenant,
        data={"changed": changed, "revision": row.revision},
    )
    await publish(tx, AssistantSettingsChanged(tenant, row.revision))
    return AssistantText(new.display_name, new.system_prompt, row.revision)


async def seal_settings(tx: Tx, tenant: TenantId, display_name: str, system_prompt: str) -> AssistantSettings:
    """A row of revision 1 with both texts sealed. Raises KeyDestroyed."""
    return AssistantSettings(
        tenant_id=tenant,
        display_name=await tx.vault.seal(tenant, _aad("display_name", tenant), display_name),
        system_prompt=await tx.vault.seal(tenant, _aad("system_prompt", tenant), system_prompt),
        updated_at=tx.now,
    )


async def opened(vault: Vault, row: AssistantSettings) -> AssistantText:
    """The row's texts in the clear. Raises KeyDestroyed."""
    owner = row.tenant_id
    return AssistantText(
        display_name=await vault.open_text(owner, _aad("display_name", owner), row.display_name),
        system_prompt=await vault.open_text(owner, _aad("system_prompt", owner), row.system_prompt),
        revision=row.revision,
    )


def _aad(column: str, tenant: UUID) -> str:
    return f"assistant_settings.{column}:{tenant}"
