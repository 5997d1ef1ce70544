"""A company corrects what it said about itself."""

from collections.abc import Mapping
from dataclasses import fields as names_of
from dataclasses import replace
from typing import Any, Final

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import TenantId
from kontor.tenants.contracts.catalogue import Catalogue
from kontor.tenants.errors import ChangedMeanwhile, FixedByContract, NotPossible
from kontor.tenants.events import CompanyChanged
from kontor.tenants.lifecycle.company import Company, checked, company_of, seal_profile
from kontor.tenants.lifecycle.files import renew_files
from kontor.tenants.lifecycle.rows import target_of, tenant_of
from kontor.tenants.model import Tenant, TenantState

# What decides which contracts apply or is priced: afterwards it takes a new contract, not an edit.
FIXED_AFTER_ACTIVATION: Final = ("country", "industry", "residency", "plan", "is_pilot", "seats", "use_case")


async def edit_company(
    tx: Tx, tenant: TenantId, changes: Mapping[str, Any], by: Actor, *, expected: int, catalogue: Catalogue
) -> Tenant:
    """The company is as `changes` (names of Company's fields) say, also in the assistant's files. The slug stays.

    Nothing new changes nothing. Raises ChangedMeanwhile when the stored revision is not `expected`, FixedByContract,
    FieldInvalid, UnknownChoice, NotFound, NotPossible (being erased).
    """
    row = await tenant_of(tx, tenant, lock=True)
    if row.state == TenantState.ERASING:
        raise NotPossible(TenantState.ERASING, TenantState.ACTIVE)
    if row.revision != expected:
        raise ChangedMeanwhile(row.revision)
    old = await company_of(tx.vault, row)
    new = checked(replace(old, **changes), catalogue)
    changed = [field.name for field in names_of(Company) if getattr(new, field.name) != getattr(old, field.name)]
    if not changed:
        return row
    if row.state != TenantState.ONBOARDING:
        for field in FIXED_AFTER_ACTIVATION:
            if field in changed:
                raise FixedByContract(field)
    row.profile = await seal_profile(tx.vault, tenant, new.profile)
    row.country, row.industry, row.residency = new.country, new.industry, new.residency
    row.plan, row.is_pilot, row.seats, row.language = new.plan, new.is_pilot, new.seats, new.language
    row.retention_days = new.retention_days
    row.revision += 1
    await renew_files(tx, tenant)
    await audit.record(
        tx,
        by,
        "company.edited",
        target=target_of(tenant),
        tenant=tenant,
        data={"changed": changed, "revision": row.revision},
    )
    await publish(tx, CompanyChanged(tenant, row.revision))
    return row
