"""Signing up with e-mail and password; the account exists once the address is proven.

An attempt is not a person yet: it becomes one by the link in its own mail. So nobody can prepare an account with a
stranger's address and a password of their own, two attempts at once do not meet, and an existing address gets the
same answer after the same work; its owner is told by mail.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from kontor.core import mail
from kontor.core.audit import Actor, record
from kontor.core.crypto import hash_secret, new_secret
from kontor.core.db import Database, Tx
from kontor.core.i18n import Lang
from kontor.core.ids import PREFIXES, PersonId, encode, new_id
from kontor.core.limits import Limit, take
from kontor.tenants.people import addresses, letters
from kontor.tenants.people.errors import LinkExpired, LinkUsed
from kontor.tenants.people.model import Person, SignUp
from kontor.tenants.people.passwords import Passwords

LINK_VALID: Final = timedelta(hours=24)
PER_EMAIL: Final = Limit("sign-up-email", 5, 3600)
PER_ADDRESS: Final = Limit("sign-up-address", 20, 3600)


@dataclass(frozen=True, slots=True)
class Links:
    """Where the links in our mails lead; `base_url` has no slash at its end."""

    base_url: str

    def verify(self, token: str) -> str:
        """Confirms an address."""
        return f"{self.base_url}/verify?token={token}"

    def login(self) -> str:
        """The login page."""
        return f"{self.base_url}/login"

    def forgot(self) -> str:
        """Where a password is reset."""
        return f"{self.base_url}/forgot"

    def reset(self, token: str) -> str:
        """Sets a new password."""
        return f"{self.base_url}/reset?token={token}"

    def invitation(self, token: str) -> str:
        """Accepts an invitation."""
        return f"{self.base_url}/invitation?token={token}"

    def usage(self) -> str:
        """What was used, in the portal."""
        return f"{self.base_url}/usage"

    def operator_tenant(self, tenant: str) -> str:
        """One tenant in the operator's console."""
        return f"{self.base_url}/ops/tenants/{tenant}"

    def conversation(self, conversation: str) -> str:
        """One conversation in the portal."""
        return f"{self.base_url}/conversations/{conversation}"


async def sign_up(
    database: Database, passwords: Passwords, links: Links, *, email: str, password: str, lang: Lang, address: str
) -> None:
    """A mail is on its way afterwards. Says nothing about whether the address is known. Raises Limited.

    Runs its own units of work: password and key are made outside of any.
    """
    async with database.system_uow() as tx:
        await take(tx, PER_ADDRESS, address)
        await take(tx, PER_EMAIL, addresses.normal(email))
    hashed = await passwords.hash(password)
    person = PersonId(new_id())
    await database.vault.create_key(person)
    async with database.system_uow() as tx:
        token = new_secret("v")
        # Written in both cases, so that both take the same work; the known one's can never be used.
        known = await addresses.person_by(tx, email)
        tx.add(
            SignUp(
                id=person,
                email_index=addresses.index(tx.vault, email),
                email=await addresses.seal_email(tx.vault, "sign_ups", person, person, email.strip()),
                password_hash=hashed,
                language=lang,
                token_hash=hash_secret(token),
                created_at=tx.now,
                expires_at=tx.now + LINK_VALID,
                used_at=tx.now if known else None,
            )
        )
        letter = letters.already_known(lang, links.login()) if known else letters.verify(lang, links.verify(token))
        template = "already_known" if known else "verify"
        await mail.send(tx, owner=person, to=email.strip(), template=template, lang=lang, letter=letter)


async def confirm(tx: Tx, token: str) -> PersonId:
    """The address is proven and the person exists; other attempts with the address are void.

    Raises LinkUsed (also for an address that became an account meanwhile), LinkExpired.
    """
    attempt = await tx.scalar(select(SignUp).where(SignUp.token_hash == hash_secret(token)).with_for_update())
    if attempt is None or attempt.used_at is not None:
        raise LinkUsed
    if attempt.expires_at <= tx.now:
        raise LinkExpired
    person = PersonId(attempt.id)
    email = await tx.vault.open(person, f"sign_ups.email:{person}", attempt.email)
    try:
        async with tx.begin_nested():
            tx.add(
                Person(
                    id=person,
                    email_index=attempt.email_index,
                    email=await tx.vault.seal(person, f"persons.email:{person}", email),
                    password_hash=attempt.password_hash,
                    language=attempt.language,
                    created_at=tx.now,
                )
            )
    except IntegrityError as error:
        raise LinkUsed from error
    await tx.execute(
        update(SignUp).where(SignUp.email_index == attempt.email_index, SignUp.used_at.is_(None)).values(used_at=tx.now)
    )
    await record(tx, Actor("person", encode(PREFIXES["person"], person)), "person.created")
    return person


async def sweep(database: Database) -> int:
    """Attempts that led nowhere are forgotten with their keys, a day after they expired. Returns how many."""
    async with database.system_uow() as tx:
        old = (await tx.scalars(select(SignUp.id).where(SignUp.expires_at < tx.now - LINK_VALID))).all()
        persons = set((await tx.scalars(select(Person.id).where(Person.id.in_(old)))).all())
        for attempt in old:
            if attempt not in persons:
                await mail.erase(tx, UUID(str(attempt)))
        await tx.execute(delete(SignUp).where(SignUp.id.in_(old)))
    for attempt in old:
        if attempt not in persons:
            await database.vault.destroy_key(attempt)
    return len(old)
