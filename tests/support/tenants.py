"""Companies to test with: signed up through the use cases, as a customer would be."""

from dataclasses import replace
from uuid import uuid4

from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.ids import PersonId, TenantId, new_id
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.activate import activate
from kontor.tenants.lifecycle.company import Company
from kontor.tenants.lifecycle.create import create_tenant, new_tenant
from kontor.tenants.people.model import Person

OWNER = Actor("person", "prs_owner")
OPERATOR = Actor("operator", "prs_operator", address="203.0.113.7")
MUELLER = Company(
    legal_name="Müller & Söhne GmbH",
    street="Königstraße 1",
    postcode="70173",
    city="Stuttgart",
    country="DE",
    is_business=True,
    industry="general",
    use_case="Fragen von Kunden zu Öffnungszeiten beantworten",
    residency="eu",
    plan="starter",
    is_pilot=False,
    seats=3,
    language="de",
)


async def a_person(database: Database) -> PersonId:
    """Somebody with an address of their own."""
    person = PersonId(new_id())
    await database.vault.create_key(person)
    async with database.system_uow() as tx:
        tx.add(
            Person(
                id=person,
                email_index=uuid4().bytes,
                email=await database.vault.seal(person, f"persons.email:{person}", f"{person}@example.org"),
                password_hash="-",
                language="de",
                created_at=tx.now,
            )
        )
    return person


async def a_tenant(database: Database, *, active: bool = False, **changes: object) -> TenantId:
    """A company that has signed up, with its contracts accepted if asked."""
    owner = await a_person(database)
    tenant = await new_tenant(database.vault)
    async with database.system_uow() as tx:
        company = replace(MUELLER, **changes)  # type: ignore[arg-type]
        await create_tenant(tx, tenant, company, owner, OWNER, catalogue=packaged())
    if active:
        async with database.uow(tenant) as tx:
            await activate(tx, tenant, OWNER)
    return tenant
