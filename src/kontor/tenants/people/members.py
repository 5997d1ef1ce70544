"""Members of a tenant and invitations to become one.

Invariants: members never exceed seats; a tenant always has an owner; only an owner makes or changes an owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from kontor.core import mail
from kontor.core.audit import Actor, record
from kontor.core.crypto import hash_secret, new_secret
from kontor.core.db import Database, Tx
from kontor.core.errors import DomainError, Kind, NotFound
from kontor.core.i18n import Lang, Text
from kontor.core.ids import PREFIXES, InvitationId, MembershipId, PersonId, TenantId, encode, new_id
from kontor.core.limits import Limit, take
from kontor.tenants.model import Tenant
from kontor.tenants.people import addresses, letters, reset
from kontor.tenants.people.errors import AlreadyMember, LastOwner, LinkExpired, LinkUsed, SeatsTaken
from kontor.tenants.people.model import Invitation, Membership, Person, Role
from kontor.tenants.people.passwords import Passwords
from kontor.tenants.people.sign_up import Links

LINK_VALID: Final = timedelta(days=7)
PER_TENANT: Final = Limit("invitations", 50, 3600)


class OwnersOnly(DomainError):
    """An admin tried to make or change an owner."""

    def __init__(self) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            "members.owners_only",
            Text(
                de="Inhaber ernennen, ändern und entfernen dürfen nur Inhaber.",
                en="Only owners may appoint, change and remove owners.",
            ),
        )


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as colleagues see it."""

    id: MembershipId
    person: PersonId
    email: str
    role: Role
    since: datetime


@dataclass(frozen=True, slots=True)
class InvitationView:
    """An open invitation."""

    id: InvitationId
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation's link shows: `has_account` tells whether a password must be chosen."""

    tenant: TenantId
    email: str
    role: Role
    has_account: bool


async def people_with(tx: Tx, tenant: TenantId, *roles: Role) -> Sequence[Person]:
    """The members who have one of the roles, oldest first."""
    found = (
        select(Person)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.tenant_id == tenant, Membership.role.in_(roles))
        .order_by(Person.id)
    )
    return (await tx.scalars(found)).all()


async def list_members(tx: Tx, tenant: TenantId) -> list[MemberView]:
    """All members, the first one first; seats bound their number."""
    rows = await tx.execute(
        select(Membership, Person)
        .join(Person, Person.id == Membership.person_id)
        .where(Membership.tenant_id == tenant)
        .order_by(Membership.created_at, Membership.id)
    )
    return [
        MemberView(
            MembershipId(member.id),
            PersonId(person.id),
            await addresses.email_of(tx, person),
            Role(member.role),
            member.created_at,
        )
        for member, person in rows
    ]


async def list_invitations(tx: Tx, tenant: TenantId) -> list[InvitationView]:
    """Open invitations, also expired ones, the newest first."""
    rows = await tx.scalars(
        select(Invitation)
        .where(Invitation.tenant_id == tenant, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .order_by(Invitation.id.desc())
        .limit(500)
    )
    return [
        InvitationView(InvitationId(row.id), await _email(tx, row), Role(row.role), row.created_at, row.expires_at)
        for row in rows
    ]


async def invite(
    tx: Tx,
    tenant: TenantId,
    links: Links,
    *,
    email: str,
    role: Role,
    inviter: PersonId,
    by_role: Role,
    by: Actor,
    company: str,
    lang: Lang,
) -> InvitationView:
    """A mail with a link is on its way. Raises OwnersOnly, SeatsTaken, AlreadyMember, Limited."""
    if role is Role.OWNER and by_role is not Role.OWNER:
        raise OwnersOnly
    await take(tx, PER_TENANT, str(tenant))
    await _lock_seats(tx, tenant, also_open=True)
    index = addresses.index(tx.vault, email)
    joined = select(Membership.id).join(Person, Person.id == Membership.person_id)
    if await tx.scalar(joined.where(Membership.tenant_id == tenant, Person.email_index == index)) is not None:
        raise AlreadyMember
    invitation, token = InvitationId(new_id()), new_secret("i")
    row = Invitation(
        id=invitation,
        tenant_id=tenant,
        email_index=index,
        email=await addresses.seal_email(tx.vault, "invitations", invitation, tenant, email.strip()),
        role=role,
        invited_by=inviter,
        token_hash=hash_secret(token),
        created_at=tx.now,
        expires_at=tx.now + LINK_VALID,
    )
    try:
        async with tx.begin_nested():
            tx.add(row)
    except IntegrityError as error:
        raise AlreadyMember from error
    letter = letters.invitation(lang, links.invitation(token), company, role)
    await mail.send(tx, owner=tenant, to=email.strip(), template="invitation", lang=lang, letter=letter)
    await record(
        tx, by, "invitation.sent", target=_text(invitation), data={"role": role}, personal_data={"email": email}
    )
    return InvitationView(invitation, email.strip(), role, row.created_at, row.expires_at)


async def revoke_invitation(tx: Tx, tenant: TenantId, invitation: InvitationId, by: Actor) -> None:
    """The link opens nothing any more. A second call changes nothing. Raises NotFound."""
    row = await tx.scalar(select(Invitation).where(Invitation.tenant_id == tenant, Invitation.id == invitation))
    if row is None or row.accepted_at is not None:
        raise NotFound
    if row.revoked_at is None:
        row.revoked_at = tx.now
        await record(tx, by, "invitation.revoked", target=_text(invitation))


async def look_at(tx: Tx, token: str) -> Offer:
    """What an invitation offers. Raises LinkUsed, LinkExpired."""
    row = await _open_invitation(tx, token)
    known = await tx.scalar(select(Person.id).where(Person.email_index == row.email_index))
    return Offer(TenantId(row.tenant_id), await _email(tx, row), Role(row.role), known is not None)


async def accept(
    database: Database, passwords: Passwords, *, token: str, password: str, lang: Lang
) -> tuple[PersonId, TenantId]:
    """The invited person is a member; a new one gets an account with this password, a known one proves it.

    The link came to the address, so it also proves the address. Raises LinkUsed, LinkExpired, SeatsTaken,
    PasswordWrong (a known person's password is wrong), Limited.
    """
    async with database.system_uow() as tx:
        row = await _open_invitation(tx, token)
        email, tenant, role = await _email(tx, row), TenantId(row.tenant_id), Role(row.role)
        known = await addresses.person_by(tx, email)
    person = PersonId(known.id) if known else PersonId(new_id())
    if known:
        await reset.prove(database, passwords, person, password)
        hashed = known.password_hash
    else:
        hashed = await passwords.hash(password)
        await database.vault.create_key(person)
    async with database.system_uow() as tx:
        row = await _open_invitation(tx, token)
        await _lock_seats(tx, tenant, also_open=False)
        if known is None:
            try:
                async with tx.begin_nested():
                    tx.add(
                        Person(
                            id=person,
                            email_index=row.email_index,
                            email=await addresses.seal_email(tx.vault, "persons", person, person, email),
                            password_hash=hashed,
                            language=lang,
                            created_at=tx.now,
                        )
                    )
            except IntegrityError as error:
                raise LinkUsed from error
        if await tx.get(Membership, (tenant, person)) is None:
            tx.add(Membership(tenant_id=tenant, person_id=person, id=new_id(), role=row.role, created_at=tx.now))
        row.accepted_at = tx.now
        actor = Actor("person", encode(PREFIXES["person"], person))
        await record(tx, actor, "member.joined", tenant=tenant, target=_text(InvitationId(row.id)), data={"role": role})
    return person, tenant


async def change_role(
    tx: Tx, tenant: TenantId, membership: MembershipId, role: Role, *, by_role: Role, by: Actor
) -> None:
    """The member has this role. Raises NotFound, OwnersOnly, LastOwner."""
    row = await _locked(tx, tenant, membership)
    if row.role == role:
        return
    if Role.OWNER in {row.role, role} and by_role is not Role.OWNER:
        raise OwnersOnly
    if row.role == Role.OWNER:
        await _keep_an_owner(tx, tenant)
    before, row.role = row.role, role
    await record(
        tx,
        by,
        "member.role_changed",
        target=encode(PREFIXES["membership"], membership),
        data={"from": before, "to": role},
    )


async def remove(tx: Tx, tenant: TenantId, membership: MembershipId, *, by_role: Role, by: Actor) -> None:
    """The person is no member any more. Raises NotFound, OwnersOnly, LastOwner."""
    row = await _locked(tx, tenant, membership)
    if row.role == Role.OWNER:
        if by_role is not Role.OWNER:
            raise OwnersOnly
        await _keep_an_owner(tx, tenant)
    await tx.delete(row)
    await record(tx, by, "member.removed", target=encode(PREFIXES["membership"], membership))


async def _open_invitation(tx: Tx, token: str) -> Invitation:
    row = await tx.scalar(select(Invitation).where(Invitation.token_hash == hash_secret(token)).with_for_update())
    if row is None or row.accepted_at is not None or row.revoked_at is not None:
        raise LinkUsed
    if row.expires_at <= tx.now:
        raise LinkExpired
    return row


async def _lock_seats(tx: Tx, tenant: TenantId, *, also_open: bool) -> None:
    """Holds the tenant's row, so that two joining at once do not both take the last seat."""
    seats = await tx.scalar(select(Tenant.seats).where(Tenant.id == tenant).with_for_update())
    taken = await tx.scalar(select(func.count()).select_from(Membership).where(Membership.tenant_id == tenant)) or 0
    if also_open:
        taken += (
            await tx.scalar(
                select(func.count())
                .select_from(Invitation)
                .where(
                    Invitation.tenant_id == tenant,
                    Invitation.accepted_at.is_(None),
                    Invitation.revoked_at.is_(None),
                    Invitation.expires_at > tx.now,
                )
            )
            or 0
        )
    if seats is None:
        raise NotFound
    if taken >= seats:
        raise SeatsTaken(seats)


async def _locked(tx: Tx, tenant: TenantId, membership: MembershipId) -> Membership:
    await tx.execute(select(Tenant.id).where(Tenant.id == tenant).with_for_update())
    row = await tx.scalar(select(Membership).where(Membership.tenant_id == tenant, Membership.id == membership))
    if row is None:
        raise NotFound
    return row


async def _keep_an_owner(tx: Tx, tenant: TenantId) -> None:
    owners = await tx.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.tenant_id == tenant, Membership.role == Role.OWNER)
    )
    if (owners or 0) < 2:  # noqa: PLR2004 - this one and another
        raise LastOwner


async def _email(tx: Tx, row: Invitation) -> str:
    return await tx.vault.open_text(row.tenant_id, f"invitations.email:{row.id}", row.email)


def _text(invitation: UUID) -> str:
    return encode(PREFIXES["invitation"], invitation)
