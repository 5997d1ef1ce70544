"""Deleting everything that the database holds of a tenant: generic over the tables, so that a new one is included.

Many rows go in batches before; the rest goes in one transaction that holds the tenant's row, so that whoever writes
for the tenant at the same time either is seen by it or fails.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, MetaData, Table, TextClause, bindparam, delete, exists, func, select, text, update

from kontor.core import mail
from kontor.core.audit import AuditEntry, AuditHead
from kontor.core.db import Database, Tx
from kontor.core.ids import ErasureId, TenantId
from kontor.core.mail import Mail
from kontor.core.tenancy import access_of
from kontor.tenants.leaving.model import Erasure
from kontor.tenants.leaving.ports import UsageRecords
from kontor.tenants.model import Tenant
from kontor.tenants.people.model import Membership, Person, SignUp

# The audit log outlives the tenant and names nobody once the data key is gone.
KEPT: Final = frozenset({AuditEntry.__tablename__, AuditHead.__tablename__})
BATCH_ROWS: Final = 5_000


def tables_of_tenants(metadata: MetaData) -> list[Table]:
    """Tables whose rows are a tenant's, those that refer to others first."""
    return [
        table for table in reversed(metadata.sorted_tables) if table.name not in KEPT and access_of(table).of_tenant
    ]


async def delete_many(database: Database, metadata: MetaData, tenant: TenantId) -> None:
    """All but the memberships is gone, a batch at a time; what is written meanwhile may be left."""
    for table in tables_of_tenants(metadata):
        if table.name == Membership.__tablename__:
            continue
        gone = BATCH_ROWS
        while gone >= BATCH_ROWS:
            async with database.system_uow() as tx:
                gone = await tx.scalar(_batch(table.name), {"tenant": tenant, "rows": BATCH_ROWS}) or 0


async def delete_rest(tx: Tx, metadata: MetaData, usage: UsageRecords, erasure: ErasureId, tenant: TenantId) -> None:
    """No row of the tenant is left but its audit log, nor of the persons whose last membership it was.

    Their ids stand in the erasure, because their data keys are still to be destroyed. Needs a system unit of work.
    """
    await tx.execute(select(Tenant.id).where(Tenant.id == tenant).with_for_update())
    persons = await _persons_who_go(tx, erasure, tenant)
    await usage.erase(tx, tenant)
    await mail.erase(tx, tenant)
    await tx.execute(delete(Membership).where(Membership.person_id.in_(persons)))
    for table in tables_of_tenants(metadata):
        await tx.execute(delete(table).where(table.c.tenant_id == tenant))
    await tx.execute(delete(Mail).where(Mail.owner.in_(persons)))
    await tx.execute(delete(SignUp).where(SignUp.id.in_(persons)))
    await tx.execute(delete(Person).where(Person.id.in_(persons)))
    await tx.execute(delete(Tenant).where(Tenant.id == tenant))
    await tx.execute(update(Erasure).where(Erasure.id == erasure).values(persons=sorted(persons)))


async def rows_left(tx: Tx, metadata: MetaData, tenant: TenantId, persons: list[UUID]) -> dict[str, int]:
    """How many rows of the tenant and of these persons each table has; counted, not concluded."""
    left = {}
    for table in metadata.sorted_tables:
        if table.name in KEPT:
            continue
        found = 0
        if "tenant_id" in table.c:
            found += await _count(tx, table, table.c.tenant_id == tenant)
        # In other tenants' tables a person's id may stay: who accepted a contract there did.
        if "person_id" in table.c and (table.name == Membership.__tablename__ or not access_of(table).of_tenant):
            found += await _count(tx, table, table.c.person_id.in_(persons))
        if table.name == Mail.__tablename__:
            found += await _count(tx, table, table.c.owner.in_([tenant, *persons]))
        if table.name in {Person.__tablename__, SignUp.__tablename__}:
            found += await _count(tx, table, table.c.id.in_(persons))
        if table.name == Tenant.__tablename__:
            found += await _count(tx, table, table.c.id == tenant)
        left[table.name] = found
    return left


async def _persons_who_go(tx: Tx, erasure: ErasureId, tenant: TenantId) -> set[UUID]:
    """Persons without a membership elsewhere, with their attempts to sign up; held until the transaction ends.

    Those that an earlier try, or the register, has named go in any case. The operator's staff stays.
    """
    named = set((await tx.scalars(select(Erasure.persons).where(Erasure.id == erasure).with_for_update())).one())
    members = select(Membership.person_id).where(Membership.tenant_id == tenant)
    held = select(Person).where(Person.id.in_(members) | Person.id.in_(named)).order_by(Person.id).with_for_update()
    elsewhere = exists().where(Membership.person_id == bindparam("person"), Membership.tenant_id != tenant)
    going, indexes = set(named), []
    for person in await tx.scalars(held):
        stays = person.operator_role is not None or await tx.scalar(select(elsewhere), {"person": person.id})
        if person.id in named or not stays:
            going.add(person.id)
            indexes.append(person.email_index)
    going |= set(await tx.scalars(select(SignUp.id).where(SignUp.email_index.in_(indexes))))
    return going


def _batch(table: str) -> TextClause:
    return text(
        f"WITH gone AS (DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - a name of our own metadata
        f"SELECT ctid FROM {table} WHERE tenant_id = :tenant LIMIT :rows)) RETURNING 1) SELECT count(*) FROM gone"
    )


async def _count(tx: Tx, table: Table, condition: ColumnElement[bool]) -> int:
    return await tx.scalar(select(func.count()).select_from(table).where(condition)) or 0
