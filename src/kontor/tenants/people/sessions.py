"""Sessions: server-side, found by the hash of what the browser holds, a new one at every login."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyotp
from sqlalchemy import delete, select, update

from kontor.core.audit import Actor, record
from kontor.core.crypto import hash_secret, new_secret
from kontor.core.db import Database, Tx
from kontor.core.errors import NotFound
from kontor.core.i18n import Lang, as_lang
from kontor.core.ids import PREFIXES, PersonId, SessionId, TenantId, encode, new_id
from kontor.core.limits import Limit, take
from kontor.tenants.people import addresses
from kontor.tenants.people.errors import CodeRefused, LoginRefused
from kontor.tenants.people.model import Membership, OperatorRole, Person, Role, Session
from kontor.tenants.people.passwords import Passwords

LASTS: Final = timedelta(days=14)
OPERATOR_LASTS: Final = timedelta(hours=12)
SEEN_EVERY: Final = timedelta(minutes=1)
PER_EMAIL: Final = Limit("login-email", 10, 900)
PER_ADDRESS: Final = Limit("login-address", 100, 900)
PER_CODE: Final = Limit("login-code", 5, 300)
TOTP_STEP_S: Final = 30
MAX_AGENT: Final = 300


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in by a session."""

    session: SessionId
    person: PersonId
    tenant: TenantId | None
    role: Role | None
    operator_role: OperatorRole | None
    is_strong: bool
    language: Lang | None


@dataclass(frozen=True, slots=True)
class Device:
    """Where a login comes from; both are personal and get sealed."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One of a person's sessions, as that person sees it."""

    id: SessionId
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str
    is_current: bool


def person_text(person: PersonId) -> str:
    """`prs_...`."""
    return encode(PREFIXES["person"], person)


async def log_in(
    database: Database, passwords: Passwords, *, email: str, password: str, device: Device
) -> tuple[str, PersonId]:
    """A fresh session's secret, and whose it is. The work is the same for unknown addresses.

    Raises LoginRefused, Limited.
    """
    async with database.system_uow() as tx:
        await take(tx, PER_ADDRESS, device.address)
        await take(tx, PER_EMAIL, addresses.normal(email))
        person = await addresses.person_by(tx, email)
    if not await passwords.check(password, person.password_hash if person else None) or person is None:
        raise LoginRefused
    async with database.system_uow() as tx:
        return await begin(tx, PersonId(person.id), device), PersonId(person.id)


async def begin(tx: Tx, person: PersonId, device: Device, tenant: TenantId | None = None) -> str:
    """A new session of a person who has just proven to be one; in `tenant`, else in the one joined first."""
    session, secret = SessionId(new_id()), new_secret("s")
    holder = await tx.get_one(Person, person)
    if tenant is None:
        tenant = await tx.scalar(
            select(Membership.tenant_id).where(Membership.person_id == person).order_by(Membership.created_at).limit(1)
        )
    tx.add(
        Session(
            id=session,
            token_hash=hash_secret(secret),
            person_id=person,
            tenant_id=tenant,
            address=await tx.vault.seal(person, f"sessions.address:{session}", device.address),
            user_agent=await tx.vault.seal(person, f"sessions.user_agent:{session}", device.user_agent[:MAX_AGENT]),
            created_at=tx.now,
            last_seen_at=tx.now,
            expires_at=tx.now + (OPERATOR_LASTS if holder.operator_role else LASTS),
            is_strong=False,
        )
    )
    await record(tx, Actor("person", person_text(person)), "session.begun", target=encode(PREFIXES["session"], session))
    return secret


async def resolve(tx: Tx, secret: str) -> Login | None:
    """Who holds this secret, or None. The active tenant counts only while the membership lasts."""
    row = (
        await tx.execute(
            select(Session, Person, Membership.role)
            .join(Person, Person.id == Session.person_id)
            .outerjoin(
                Membership,
                (Membership.person_id == Session.person_id) & (Membership.tenant_id == Session.tenant_id),
            )
            .where(Session.token_hash == hash_secret(secret), Session.expires_at > tx.now)
        )
    ).one_or_none()
    if row is None:
        return None
    session, person, role = row
    if tx.now - session.last_seen_at > SEEN_EVERY:
        session.last_seen_at = tx.now
    return Login(
        session=SessionId(session.id),
        person=PersonId(person.id),
        tenant=TenantId(session.tenant_id) if role and session.tenant_id else None,
        role=Role(role) if role else None,
        operator_role=OperatorRole(person.operator_role) if person.operator_role else None,
        is_strong=session.is_strong,
        language=as_lang(person.language),
    )


async def prove_second_factor(database: Database, session: SessionId, person: PersonId, code: str) -> str:
    """The session is a strong one afterwards, under a new secret; a code counts once.

    Source: RFC 6238, 5.2 (a code must not be accepted twice). Raises CodeRefused, Limited.
    """
    async with database.system_uow() as tx:
        await take(tx, PER_CODE, str(person))
    async with database.system_uow() as tx:
        holder = await tx.get_one(Person, person, with_for_update=True)
        if holder.totp_secret is None:
            raise CodeRefused
        secret = await tx.vault.open_text(person, f"persons.totp_secret:{person}", holder.totp_secret)
        step = _matching_step(pyotp.TOTP(secret, interval=TOTP_STEP_S), code, tx.now)
        if step is None or step <= (holder.totp_last_step or 0):
            raise CodeRefused
        holder.totp_last_step = step
        fresh = new_secret("s")
        current = await tx.get_one(Session, session)
        current.token_hash, current.is_strong = hash_secret(fresh), True
        await record(tx, Actor("operator", person_text(person)), "session.second_factor")
        return fresh


async def end(tx: Tx, session: SessionId, person: PersonId) -> None:
    """The session is over. A second call changes nothing."""
    await tx.execute(delete(Session).where(Session.id == session, Session.person_id == person))


async def end_others(tx: Tx, person: PersonId, keep: SessionId | None) -> None:
    """All of a person's sessions are over, except `keep`."""
    doomed = delete(Session).where(Session.person_id == person)
    await tx.execute(doomed if keep is None else doomed.where(Session.id != keep))


async def switch(tx: Tx, session: SessionId, person: PersonId, tenant: TenantId) -> None:
    """The session acts in another tenant of the person's. Raises NotFound."""
    member = await tx.get(Membership, (tenant, person))
    if member is None:
        raise NotFound
    await tx.execute(update(Session).where(Session.id == session, Session.person_id == person).values(tenant_id=tenant))


async def list_open(tx: Tx, person: PersonId, current: SessionId) -> list[OpenSession]:
    """The person's sessions, the latest first."""
    rows = await tx.scalars(
        select(Session)
        .where(Session.person_id == person, Session.expires_at > tx.now)
        .order_by(Session.last_seen_at.desc())
        .limit(100)
    )
    return [
        OpenSession(
            id=SessionId(row.id),
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            address=await _open(tx, person, f"sessions.address:{row.id}", row.address),
            user_agent=await _open(tx, person, f"sessions.user_agent:{row.id}", row.user_agent),
            is_current=row.id == current,
        )
        for row in rows
    ]


async def sweep(tx: Tx) -> None:
    """Expired sessions are forgotten."""
    await tx.execute(delete(Session).where(Session.expires_at < tx.now))


async def _open(tx: Tx, person: PersonId, aad: str, sealed: bytes | None) -> str:
    return await tx.vault.open_text(person, aad, sealed) if sealed else ""


def _matching_step(totp: pyotp.TOTP, code: str, now: datetime) -> int | None:
    """The time step whose code this is, allowing one step of clock drift each way."""
    current = int(now.timestamp()) // TOTP_STEP_S
    for step in (current, current - 1, current + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code.replace(" ", "")):
            return step
    return None
