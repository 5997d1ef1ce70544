"""A company signs up: the tenant's row, its owner and its assistant's settings, before any contract."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.crypto import Vault
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.i18n import Lang
from kontor.core.ids import PersonId, TenantId, new_id
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.events import TenantCreated
from kontor.tenants.lifecycle.assistant import seal_settings
from kontor.tenants.lifecycle.company import Company, checked, seal_profile
from kontor.tenants.lifecycle.fields import DISPLAY_NAME_LENGTH
from kontor.tenants.lifecycle.rows import target_of
from kontor.tenants.lifecycle.slug import slug_of
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.people.model import Membership, Role
from kontor.tenants.sellers import DEFAULT_SELLER


async def new_tenant(vault: Vault) -> TenantId:
    """An id whose data key exists. Called before the unit of work: the key store is remote."""
    tenant = TenantId(new_id())
    await vault.create_key(tenant)
    return tenant


async def create_tenant(
    tx: Tx,
    tenant: TenantId,
    company: Company,
    owner: PersonId,
    by: Actor,
    *,
    catalogue: Catalogue,
    seller: str = DEFAULT_SELLER,
) -> Tenant:
    """The company is onboarding, `owner` is its owner, and its assistant has a name and a prompt to begin with.

    `tenant` comes from `new_tenant`. Needs a system unit of work. Raises NotABusiness, FieldInvalid, UnknownChoice.
    """
    company = checked(company, catalogue)
    row = Tenant(
        id=tenant,
        seller=seller,
        slug=slug_of(company.legal_name),
        profile=await seal_profile(tx.vault, tenant, company.profile),
        country=company.country,
        industry=company.industry,
        residency=company.residency,
        plan=company.plan,
        is_pilot=company.is_pilot,
        seats=company.seats,
        language=company.language,
        retention_days=company.retention_days,
        state=TenantState.ONBOARDING,
        created_at=tx.now,
    )
    tx.add(row)
    await tx.flush()
    tx.add(Membership(tenant_id=tenant, person_id=owner, id=new_id(), role=Role.OWNER, created_at=tx.now))
    name, prompt = first_settings(company.legal_name, company.language)
    tx.add(await seal_settings(tx, tenant, name, prompt))
    await audit.record(
        tx,
        by,
        "tenant.created",
        target=target_of(tenant),
        tenant=tenant,
        data={"plan": company.plan, "is_pilot": company.is_pilot, "seats": company.seats, "country": company.country},
    )
    await publish(tx, TenantCreated(tenant))
    return row


def first_settings(company: str, language: Lang) -> tuple[str, str]:
    """Display name and system prompt that an assistant begins with."""
    if language == "de":
        return _cut(f"Assistent von {company}"), (
            f"Du bist der digitale Assistent von {company}. Antworte freundlich, knapp und auf Deutsch, außer jemand "
            "schreibt in einer anderen Sprache. Wenn du etwas nicht weißt, sag das und biete an, dass ein Mensch "
            "sich meldet."
        )
    return _cut(f"Assistant of {company}"), (
        f"You are the digital assistant of {company}. Answer in a friendly and brief way, in the language in which "
        "people write to you. If you do not know something, say so and offer that a person will get in touch."
    )


def _cut(name: str) -> str:
    return name if len(name) <= DISPLAY_NAME_LENGTH else name[: DISPLAY_NAME_LENGTH - 1].rstrip() + "…"
