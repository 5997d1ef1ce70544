"""The operator's staff: made on the command line, with a second factor from the first login."""

from dataclasses import dataclass

import pyotp
from sqlalchemy import select

from kontor.core.audit import Actor, record
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.ids import PersonId, new_id
from kontor.tenants.people import addresses, sessions
from kontor.tenants.people.model import OperatorRole, Person
from kontor.tenants.people.passwords import Passwords

ISSUER = "Kontor"
_BY = Actor("system", "command line")


@dataclass(frozen=True, slots=True)
class NewOperator:
    """Shown once: the secret for the authenticator app, also as an otpauth URI for a QR code."""

    person: PersonId
    totp_secret: str
    uri: str


async def add(
    database: Database, passwords: Passwords, *, email: str, password: str, role: OperatorRole
) -> NewOperator:
    """The person is one of the operator's staff and has a fresh second factor; sessions from before are over.

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
        await sessions.end_others(tx, person, None)
        await record(
            tx,
            Actor("system", "command line"),
            "operator.added",
            target=sessions.person_text(person),
            data={"role": role},
        )
    uri = pyotp.TOTP(secret).provisioning_uri(name=email.strip(), issuer_name=ISSUER)
    return NewOperator(person, secret, uri)


async def remove(database: Database, *, email: str) -> PersonId:
    """The person is nobody of the staff any more and logged out everywhere; companies of its own stay.

    A second call changes nothing. Raises NotFound (nobody has this address).
    """
    async with database.system_uow() as tx:
        known = await addresses.person_by(tx, email)
        row = await tx.get(Person, known.id, with_for_update=True) if known else None
        if row is None:
            raise NotFound
        person = PersonId(row.id)
        if row.operator_role is None:
            return person
        role, row.operator_role, row.totp_secret, row.totp_last_step = row.operator_role, None, None, None
        await sessions.end_others(tx, person, None)
        await record(tx, _BY, "operator.removed", target=sessions.person_text(person), data={"role": role})
    return person
