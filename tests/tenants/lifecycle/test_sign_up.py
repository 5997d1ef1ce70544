"""A company signs up: what is stored, what is refused, and in which words."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from kontor.core.audit import AuditEntry
from kontor.core.db import Database
from kontor.core.errors import DomainError
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.assistant import read_assistant
from kontor.tenants.lifecycle.company import Company, checked, company_of, customer_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.lifecycle.slug import slug_of
from kontor.tenants.model import Tenant
from kontor.tenants.people.model import Membership
from support.tenants import MUELLER, a_tenant


async def test_a_company_that_signed_up_is_onboarding_with_an_owner_and_an_assistant_that_has_a_name(
    database: Database,
) -> None:
    tenant = await a_tenant(database)

    async with database.uow(tenant) as tx:
        row = await tenant_of(tx, tenant)
        company = await company_of(tx.vault, row)
        assistant = await read_assistant(tx, tenant)
        roles = list(await tx.scalars(select(Membership.role)))
        acts = list(await tx.scalars(select(AuditEntry.action)))
    assert (row.state, row.slug[:15]) == ("onboarding", "mueller-soehne-")
    assert company == MUELLER
    assert assistant.display_name == "Assistent von Müller & Söhne GmbH"
    assert assistant.revision == 1
    assert roles == ["owner"]
    assert acts == ["tenant.created"]


async def test_name_and_address_lie_sealed_in_the_database(database: Database) -> None:
    tenant = await a_tenant(database)

    async with database.uow(tenant) as tx:
        row = await tenant_of(tx, tenant)
    assert b"ller" not in row.profile
    assert (await customer_of(database.vault, row)).address.city == "Stuttgart"


async def test_another_tenant_sees_nothing_of_the_company(database: Database) -> None:
    await a_tenant(database)
    other = await a_tenant(database, legal_name="Andere AG")

    async with database.uow(other) as tx:
        assert await tx.scalar(select(func.count()).select_from(Tenant)) == 1


async def test_two_companies_of_one_name_have_two_slugs(database: Database) -> None:
    first, second = await a_tenant(database), await a_tenant(database)

    async with database.system_uow() as tx:
        assert (await tenant_of(tx, first)).slug != (await tenant_of(tx, second)).slug


def test_a_pilot_is_a_starter_of_five_seats_whatever_else_was_chosen() -> None:
    company = checked(replace(MUELLER, is_pilot=True, plan="enterprise", seats=400), packaged())

    assert (company.plan, company.seats) == ("starter", 5)


def test_names_are_trimmed_and_composed() -> None:
    company = checked(replace(MUELLER, legal_name="  Mu\u0308ller 🦊 AG "), packaged())

    assert company.legal_name == "Müller 🦊 AG"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_business": False}, "company.not_a_business"),
        ({"country": "FR"}, "contracts.unknown_choice"),
        ({"industry": "piracy"}, "contracts.unknown_choice"),
        ({"residency": "moon"}, "contracts.unknown_choice"),
        ({"plan": "gratis"}, "field.invalid"),
        ({"seats": 0}, "field.invalid"),
        ({"seats": 10_001}, "field.invalid"),
        ({"language": "fr"}, "field.invalid"),
        ({"legal_name": "   "}, "field.invalid"),
        ({"legal_name": "x" * 201}, "field.invalid"),
        ({"legal_name": "Firma\x00"}, "field.invalid"),
        ({"legal_name": "Firma\nzwei"}, "field.invalid"),
        ({"street": "\ud800"}, "field.invalid"),
        ({"postcode": "1" * 13}, "field.invalid"),
        ({"city": "\x1b[31m"}, "field.invalid"),
        ({"use_case": ""}, "field.invalid"),
    ],
)
def test_a_form_that_cannot_be_stored_is_refused_in_both_languages(change: Mapping[str, object], code: str) -> None:
    company: Company = replace(MUELLER, **change)  # type: ignore[arg-type]

    with pytest.raises(DomainError) as refusal:
        checked(company, packaged())

    assert refusal.value.code == code
    assert refusal.value.sentence("de") != refusal.value.sentence("en")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("Müller & Söhne GmbH", "mueller-soehne"),
        ("Weiß GmbH & Co. KG", "weiss"),
        ("ČEZ Großhandel e.V.", "cez-grosshandel-e-v"),
        ("株式会社", "firma"),
        ("A" * 100, "a" * 32),
        ("--- 1. FC ---", "1-fc"),
    ],
)
def test_a_slug_is_a_dns_label_without_umlauts_and_legal_form(name: str, base: str) -> None:
    assert slug_of(name, "k7x2m") == f"{base}-k7x2m"
    assert len(slug_of(name)) <= 38


async def test_a_sign_up_that_is_rolled_back_leaves_no_row(database: Database) -> None:
    with pytest.raises(DomainError):
        await a_tenant(database, is_business=False)

    async with database.system_uow() as tx:
        assert await tx.scalar(select(func.count()).select_from(Tenant)) == 0
