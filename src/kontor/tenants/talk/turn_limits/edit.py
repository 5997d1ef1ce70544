"""Limits of turns as owners and admins read and set them, for a member or an API key."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert

from kontor.core.audit import Actor, record
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.ids import PREFIXES, ApiKeyId, MembershipId, TenantId, encode
from kontor.tenants.errors import ChangedMeanwhile
from kontor.tenants.people.api_keys import key_text
from kontor.tenants.people.members import OwnersOnly
from kontor.tenants.people.model import ApiKey, Membership, Role
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.turn_limits.count import FIRST_REVISION, periods, turns_now
from kontor.tenants.talk.turn_limits.model import TurnLimit

MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Turns of a Berlin day and month, 0 to MOST; None: any number."""

    per_day: int | None
    per_month: int | None


@dataclass(frozen=True, slots=True)
class TurnsView:
    """The limits and what was counted of them; `revision` comes back with a change."""

    limits: Limits
    today: int
    this_month: int
    revision: int


NONE_YET: Final = TurnsView(Limits(None, None), 0, 0, FIRST_REVISION)


async def turns_of_member(tx: Tx, tenant: TenantId, member: MembershipId) -> TurnsView:
    """What the person asks in the portal, or with its session. Raises NotFound."""
    return await _one(tx, tenant, Origin(Channel.PORTAL, (await _member(tx, tenant, member)).person_id))


async def turns_of_key(tx: Tx, tenant: TenantId, key: ApiKeyId) -> TurnsView:
    """What a program asks with the key. Raises NotFound."""
    return await _one(tx, tenant, await _origin_of_key(tx, tenant, key))


async def turns_of_all(tx: Tx, tenant: TenantId, channel: Channel, sources: Collection[UUID]) -> dict[UUID, TurnsView]:
    """By who asks; who has neither limit nor count is left out."""
    rows = await tx.scalars(
        select(TurnLimit).where(
            TurnLimit.tenant_id == tenant, TurnLimit.channel == channel, TurnLimit.source.in_(sources)
        )
    )
    return {row.source: _view(tx, row) for row in rows}


async def limit_member(
    tx: Tx, tenant: TenantId, member: MembershipId, limits: Limits, *, by_role: Role, by: Actor, expected: int
) -> TurnsView:
    """The member's next turn is held against these limits. Nothing new changes nothing.

    Raises NotFound, OwnersOnly, ChangedMeanwhile when the stored revision is not `expected`.
    """
    row = await _member(tx, tenant, member)
    if row.role == Role.OWNER and by_role is not Role.OWNER:
        raise OwnersOnly
    target = encode(PREFIXES["membership"], member)
    return await _set(
        tx, tenant, Origin(Channel.PORTAL, row.person_id), limits, by=by, target=target, expected=expected
    )


async def limit_key(tx: Tx, tenant: TenantId, key: ApiKeyId, limits: Limits, *, by: Actor, expected: int) -> TurnsView:
    """The next turn with the key is held against these limits. Nothing new changes nothing.

    Raises NotFound, ChangedMeanwhile when the stored revision is not `expected`.
    """
    return await _set(
        tx, tenant, await _origin_of_key(tx, tenant, key), limits, by=by, target=key_text(key), expected=expected
    )


async def _set(
    tx: Tx, tenant: TenantId, origin: Origin, limits: Limits, *, by: Actor, target: str, expected: int
) -> TurnsView:
    row = await _locked(tx, tenant, origin)
    if row.revision != expected:
        raise ChangedMeanwhile(row.revision)
    before = Limits(row.per_day, row.per_month)
    if before == limits:
        return _view(tx, row)
    row.per_day, row.per_month = limits.per_day, limits.per_month
    row.revision += 1
    data = {
        "per_day": {"from": before.per_day, "to": limits.per_day},
        "per_month": {"from": before.per_month, "to": limits.per_month},
    }
    await record(tx, by, "turn_limits.set", target=target, tenant=tenant, data=data)
    return _view(tx, row)


async def _locked(tx: Tx, tenant: TenantId, origin: Origin) -> TurnLimit:
    day, month = periods(tx.now)
    made = insert(TurnLimit).values(
        tenant_id=tenant,
        channel=origin.channel,
        source=origin.source,
        day=day,
        turns_of_day=0,
        month=month,
        turns_of_month=0,
        revision=FIRST_REVISION,
    )
    await tx.execute(made.on_conflict_do_nothing())
    query = _of(tenant, origin).with_for_update().execution_options(populate_existing=True)
    return (await tx.scalars(query)).one()


async def _one(tx: Tx, tenant: TenantId, origin: Origin) -> TurnsView:
    row = await tx.scalar(_of(tenant, origin))
    return NONE_YET if row is None else _view(tx, row)


def _of(tenant: TenantId, origin: Origin) -> Select[TurnLimit]:
    return select(TurnLimit).where(
        TurnLimit.tenant_id == tenant, TurnLimit.channel == origin.channel, TurnLimit.source == origin.source
    )


def _view(tx: Tx, row: TurnLimit) -> TurnsView:
    today, this_month = turns_now(row, tx.now)
    return TurnsView(Limits(row.per_day, row.per_month), today, this_month, row.revision)


async def _member(tx: Tx, tenant: TenantId, member: MembershipId) -> Membership:
    row = await tx.scalar(select(Membership).where(Membership.tenant_id == tenant, Membership.id == member))
    if row is None:
        raise NotFound
    return row


async def _origin_of_key(tx: Tx, tenant: TenantId, key: ApiKeyId) -> Origin:
    if await tx.scalar(select(ApiKey.id).where(ApiKey.tenant_id == tenant, ApiKey.id == key)) is None:
        raise NotFound
    return Origin(Channel.API, key)
