"""A person's own account: address, language, tenants."""

from dataclasses import dataclass

from sqlalchemy import select

from kontor.core.db import Tx
from kontor.core.i18n import DEFAULT, Lang, as_lang
from kontor.core.ids import PersonId, TenantId
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.model import Tenant
from kontor.tenants.people import addresses
from kontor.tenants.people.model import Membership, OperatorRole, Person, Role
from kontor.tenants.people.sessions import Login


@dataclass(frozen=True, slots=True)
class TenantOfPerson:
    """One of the person's tenants."""

    tenant_id: TenantId
    company: str
    role: Role
    state: str


@dataclass(frozen=True, slots=True)
class Account:
    """The person behind a login."""

    id: PersonId
    email: str
    language: Lang
    operator_role: OperatorRole | None
    second_factor: bool
    active_tenant: TenantId | None
    role: Role | None
    memberships: list[TenantOfPerson]


async def account(tx: Tx, login: Login) -> Account:
    """The account of whoever is logged in."""
    person = await tx.get_one(Person, login.person)
    rows = await tx.execute(
        select(Membership, Tenant)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(Membership.person_id == login.person)
        .order_by(Membership.created_at)
    )
    return Account(
        id=login.person,
        email=await addresses.email_of(tx, person),
        language=as_lang(person.language) or DEFAULT,
        operator_role=login.operator_role,
        second_factor=login.is_strong,
        active_tenant=login.tenant,
        role=login.role,
        memberships=[
            TenantOfPerson(
                TenantId(tenant.id), (await profile_of(tx.vault, tenant)).legal_name, Role(member.role), tenant.state
            )
            for member, tenant in rows
        ],
    )
