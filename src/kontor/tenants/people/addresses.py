"""E-mail addresses as identities: one spelling, found by a blind index, never stored in the clear."""

from uuid import UUID

from sqlalchemy import select

from kontor.core.crypto import Vault
from kontor.core.db import Tx
from kontor.tenants.people.model import Person


def normal(email: str) -> str:
    """The spelling under which an address is one identity: whole address case-folded."""
    return email.strip().casefold()


def index(vault: Vault, email: str) -> bytes:
    """What stands in the database instead of the address."""
    return vault.blind_index(f"email|{normal(email)}")


async def person_by(tx: Tx, email: str) -> Person | None:
    """The person with this address."""
    found: Person | None = await tx.scalar(select(Person).where(Person.email_index == index(tx.vault, email)))
    return found


async def email_of(tx: Tx, person: Person) -> str:
    """The address itself."""
    return await tx.vault.open_text(person.id, f"persons.email:{person.id}", person.email)


async def seal_email(vault: Vault, table: str, row: UUID, owner: UUID, email: str) -> bytes:
    """The address for storage in `table`."""
    return await vault.seal(owner, f"{table}.email:{row}", email)
