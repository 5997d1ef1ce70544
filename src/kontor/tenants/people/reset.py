"""Forgotten and changed passwords. The answer to "forgotten" is the same for known and unknown addresses."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select, update

from kontor.core import mail
from kontor.core.audit import Actor, record
from kontor.core.crypto import hash_secret, new_secret
from kontor.core.db import Database
from kontor.core.i18n import DEFAULT, Lang, as_lang
from kontor.core.ids import PersonId, SessionId, new_id
from kontor.core.jobs import Handler, Job, enqueue
from kontor.core.limits import Limit, take
from kontor.tenants.people import addresses, letters, sessions
from kontor.tenants.people.errors import LinkExpired, LinkUsed, PasswordWrong
from kontor.tenants.people.model import PasswordReset, Person
from kontor.tenants.people.passwords import Passwords
from kontor.tenants.people.sign_up import Links

JOB: Final = "people.reset_link"
LINK_VALID: Final = timedelta(hours=1)
PER_EMAIL: Final = Limit("reset-email", 5, 3600)
PER_ADDRESS: Final = Limit("reset-address", 20, 3600)
PER_PERSON: Final = Limit("password", 10, 900)


async def ask(database: Database, *, email: str, lang: Lang, address: str) -> None:
    """Whoever has this address gets a link; nobody learns whether somebody has. Raises Limited.

    The request does the same for every address: who it belongs to is looked up by the job.
    """
    async with database.system_uow() as tx:
        await take(tx, PER_ADDRESS, address)
        await take(tx, PER_EMAIL, addresses.normal(email))
        await enqueue(tx, JOB, {"email_index": addresses.index(tx.vault, email).hex(), "language": lang})


def link_job(database: Database, links: Links) -> Handler:
    """The handler of JOB: a known person gets a link. Run twice it sends two, and both work until one is used."""

    async def run(job: Job) -> None:
        token, lang = new_secret("r"), as_lang(job.args["language"]) or DEFAULT
        async with database.system_uow() as tx:
            known = select(Person).where(Person.email_index == bytes.fromhex(job.args["email_index"]))
            person = await tx.scalar(known)
            if person is None:
                return
            tx.add(
                PasswordReset(
                    id=new_id(),
                    person_id=person.id,
                    token_hash=hash_secret(token),
                    created_at=tx.now,
                    expires_at=tx.now + LINK_VALID,
                )
            )
            to = await addresses.email_of(tx, person)
            letter = letters.reset(lang, links.reset(token))
            await mail.send(tx, owner=person.id, to=to, template="reset", lang=lang, letter=letter)

    return run


async def confirm(database: Database, passwords: Passwords, links: Links, *, token: str, password: str) -> PersonId:
    """The password is new; every link and session from before is void, and the person is told.

    Raises LinkUsed, LinkExpired.
    """
    hashed = await passwords.hash(password)
    async with database.system_uow() as tx:
        link = await tx.scalar(
            select(PasswordReset).where(PasswordReset.token_hash == hash_secret(token)).with_for_update()
        )
        if link is None or link.used_at is not None:
            raise LinkUsed
        if link.expires_at <= tx.now:
            raise LinkExpired
        person = await tx.get_one(Person, link.person_id, with_for_update=True)
        person.password_hash = hashed
        await tx.execute(
            update(PasswordReset)
            .where(PasswordReset.person_id == person.id, PasswordReset.used_at.is_(None))
            .values(used_at=tx.now)
        )
        await sessions.end_others(tx, PersonId(person.id), None)
        lang = as_lang(person.language) or DEFAULT
        await mail.send(
            tx,
            owner=person.id,
            to=await addresses.email_of(tx, person),
            template="password_changed",
            lang=lang,
            letter=letters.password_changed(lang, links.forgot()),
        )
        await record(tx, Actor("person", sessions.person_text(PersonId(person.id))), "person.password_reset")
        return PersonId(person.id)


async def prove(database: Database, passwords: Passwords, person: PersonId, password: str) -> None:
    """Whoever acts is the person, and not somebody at an open browser. Raises PasswordWrong, Limited."""
    async with database.system_uow() as tx:
        await take(tx, PER_PERSON, str(person))
        known = (await tx.get_one(Person, person)).password_hash
    if not await passwords.check(password, known):
        raise PasswordWrong


async def change(
    database: Database, passwords: Passwords, *, person: PersonId, session: SessionId, old: str, new: str
) -> None:
    """The password is new and all other sessions are over. Raises PasswordWrong when the old one is, Limited."""
    await prove(database, passwords, person, old)
    hashed = await passwords.hash(new)
    async with database.system_uow() as tx:
        (await tx.get_one(Person, person)).password_hash = hashed
        await sessions.end_others(tx, person, session)
        await record(tx, Actor("person", sessions.person_text(person)), "person.password_changed")


async def sweep(database: Database) -> None:
    """Links that expired a day ago are forgotten."""
    async with database.system_uow() as tx:
        await tx.execute(delete(PasswordReset).where(PasswordReset.expires_at < tx.now - timedelta(days=1)))
