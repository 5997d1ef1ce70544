"""Editing what a company says about itself and its assistant, where two people can meet."""

import pytest
from sqlalchemy import select

from kontor.core.audit import AuditEntry
from kontor.core.db import Database
from kontor.core.errors import DomainError
from kontor.core.ids import TenantId, encode, new_id
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.activate import activate
from kontor.tenants.lifecycle.assistant import edit_assistant, read_assistant
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.edit_company import edit_company
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.lifecycle.operators_list import find_tenant, list_tenants
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import TenantState
from support.tenants import OPERATOR, OWNER, a_tenant


async def edit(database: Database, tenant: TenantId, expected: int, **changes: str) -> int:
    async with database.uow(tenant) as tx:
        return (await edit_assistant(tx, tenant, OWNER, expected=expected, **changes)).revision  # type: ignore[arg-type]


async def test_an_edited_assistant_is_read_as_it_was_written(database: Database) -> None:
    tenant = await a_tenant(database)
    prompt = "Grüße jeden mit „Moin“ 🦊\r\nund sei höflich."

    assert await edit(database, tenant, 1, system_prompt=prompt, display_name=" Käthe ") == 2

    async with database.uow(tenant) as tx:
        text = await read_assistant(tx, tenant)
    assert (text.display_name, text.system_prompt) == ("Käthe", "Grüße jeden mit „Moin“ 🦊\nund sei höflich.")


async def test_the_second_of_two_people_who_edit_the_same_revision_is_refused(database: Database) -> None:
    tenant = await a_tenant(database)
    await edit(database, tenant, 1, display_name="Erste")

    with pytest.raises(DomainError) as refusal:
        await edit(database, tenant, 1, display_name="Zweite")

    assert refusal.value.code == "revision.changed_meanwhile"
    async with database.uow(tenant) as tx:
        assert (await read_assistant(tx, tenant)).display_name == "Erste"


async def test_the_same_text_again_is_no_change(database: Database) -> None:
    tenant = await a_tenant(database)
    await edit(database, tenant, 1, display_name="Käthe")

    assert await edit(database, tenant, 2, display_name="Käthe") == 2

    async with database.uow(tenant) as tx:
        acts = list(await tx.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))
    assert acts == ["tenant.created", "assistant.edited"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", ""),
        ("display_name", "x" * 61),
        ("display_name", "a\nb"),
        ("system_prompt", "  \n "),
        ("system_prompt", "x" * 8_001),
        ("system_prompt", "nul \x00"),
        ("system_prompt", "half \udc00"),
    ],
)
async def test_a_text_that_cannot_be_used_is_refused_with_its_field(database: Database, field: str, value: str) -> None:
    tenant = await a_tenant(database)

    with pytest.raises(DomainError) as refusal:
        await edit(database, tenant, 1, **{field: value})

    assert (refusal.value.code, getattr(refusal.value, "field", None)) == ("field.invalid", field)


async def test_a_tenant_that_is_being_erased_is_edited_no_more(database: Database) -> None:
    tenant = await a_tenant(database)
    async with database.system_uow() as tx:
        await request_erasure(tx, tenant, OPERATOR)

    with pytest.raises(DomainError) as refusal:
        await edit(database, tenant, 1, display_name="Käthe")

    assert refusal.value.code == "tenant.not_possible"


async def change(database: Database, tenant: TenantId, expected: int, **changes: object) -> int:
    async with database.uow(tenant) as tx:
        row = await edit_company(tx, tenant, changes, OWNER, expected=expected, catalogue=packaged())
        return row.revision


async def test_a_company_that_moves_keeps_its_slug(database: Database) -> None:
    tenant = await a_tenant(database, active=True)
    async with database.uow(tenant) as tx:
        slug = (await tenant_of(tx, tenant)).slug

    assert await change(database, tenant, 1, legal_name="Schmidt AG", city="Ulm") == 2

    async with database.uow(tenant) as tx:
        row = await tenant_of(tx, tenant)
        assert (await profile_of(tx.vault, row)).legal_name == "Schmidt AG"
    assert row.slug == slug


async def test_what_decides_the_contracts_changes_only_before_they_are_accepted(database: Database) -> None:
    tenant = await a_tenant(database)
    assert await change(database, tenant, 1, country="AT", industry="medical") == 2

    async with database.uow(tenant) as tx:
        await activate(tx, tenant, OWNER)

    with pytest.raises(DomainError) as refusal:
        await change(database, tenant, 2, country="CH")
    assert refusal.value.code == "company.fixed_by_contract"


async def test_a_company_edited_meanwhile_is_refused(database: Database) -> None:
    tenant = await a_tenant(database)
    await change(database, tenant, 1, city="Ulm")

    with pytest.raises(DomainError) as refusal:
        await change(database, tenant, 1, city="Bonn")

    assert refusal.value.code == "revision.changed_meanwhile"


async def test_an_operator_pages_through_tenants_and_finds_them_by_slug_id_and_state(database: Database) -> None:
    tenants = [await a_tenant(database, legal_name=f"Firma {number}", active=number == 0) for number in range(5)]

    async with database.system_uow() as tx:
        first = await list_tenants(tx, limit=3)
        second = await list_tenants(tx, limit=3, before=first[-1].id)
        by_slug = await list_tenants(tx, search="firma-2")
        by_id = await list_tenants(tx, search=encode("tnt", tenants[3]))
        active = await list_tenants(tx, state=TenantState.ACTIVE)
        wild = await list_tenants(tx, search="%\x00")
        found = await find_tenant(tx, by_slug[0].slug)
        missing = await find_tenant(tx, encode("tnt", new_id()))

    assert [line.id for line in (*first, *second)] == tenants[::-1]
    assert [line.id for line in by_slug] == [tenants[2]]
    assert [line.id for line in by_id] == [tenants[3]]
    assert [line.id for line in active] == [tenants[0]]
    assert wild == []
    assert found == by_slug[0]
    assert missing is None
