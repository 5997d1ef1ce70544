"""The operator's staff: made on the command line, with a second factor from the first login."""

from dataclasses import dataclass

import pyotp
from sqlalchemy import select

from kontor.core.audit import Actor, record
from kontor.core.db import Database
from kontor.core.ids import PersonId, new_id
from kontor.tenants.people import addresses
from kontor.tenants.people.model import OperatorRole, Person
from kontor.tenants.people.passwords import Passwords
from kontor.tenants.people.sessions import person_text

ISSUER = "Kontor"


@dataclass(frozen=True, slots=True)
class NewOperator:
    """Shown once: the secret for the authenticator app, also as an otpauth URI for a QR code."""

    person: PersonId
    totp_secret: str
    uri: str


async def add(
    database: Database, passwords: Passwords, *, email: str, password: str, role: OperatorRole
) -> NewOperator:
    """The person is one of the operator's staff and has a fresh second factor; a known person keeps its sessions not.

    A second call renews password, role and second factor.
    """
    hashed = await passwords.hash(password)
    async with database.system_uow() as tx:
        known = await addresses.person_by(tx, email)
    person = PersonId(known.id if known else new_id())
    await database.vault.create_key(person)
    secret = pyotp.random_base32()
    async with database.system_uow() as tx:
        row = await tx.scalar(select(Person).where(Person.id == person).with_for_update())
        if row is None:
            row = Person(
                id=person,
                email_index=addresses.index(tx.vault, email),
                email=await addresses.seal_email(tx.vault, "persons", person, person, email.strip()),
                language="de",
                created_at=tx.now,
            )
            tx.add(row)
        row.password_hash = hashed
        row.operator_role = role
        row.totp_secret = await tx.vault.seal(person, f"persons.totp_secret:{person}", secret)
        row.totp_last_step = None
        await record(
            tx, Actor("system", "command line"), "operator.added", target=person_text(person), data={"role": role}
        )
    uri = pyotp.TOTP(secret).provisioning_uri(name=email.strip(), issuer_name=ISSUER)
    return NewOperator(person, secret, uri)
