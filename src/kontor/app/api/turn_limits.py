"""How many turns with the assistant a member or an API key may have, and has had."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from kontor.app.api.ids import ApiKeyIdText, MembershipIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.http.deps import AdminCaller, DatabaseDep
from kontor.app.http.errors import problems
from kontor.app.http.etags import etag, expected_revision
from kontor.tenants.people.model import Role
from kontor.tenants.talk.turn_limits.edit import (
    MOST,
    Limits,
    TurnsView,
    limit_key,
    limit_member,
    turns_of_key,
    turns_of_member,
)

router = APIRouter(prefix="/api/v1", tags=["people"])

TurnLimit = Annotated[int, Field(ge=0, le=MOST, strict=True)]


class TurnLimitsIn(Body):
    """The limits; null removes one, 0 allows no turn."""

    per_day: TurnLimit | None = Field(description="of a day in Berlin", examples=[20])
    per_month: TurnLimit | None = Field(description="of a calendar month in Berlin", examples=[None])


class TurnLimitsOut(Answer):
    """The limits, and the turns that were counted of them. What a human answers, and notices, are no turns."""

    per_day: int | None = Field(description="null: any number", examples=[20])
    per_month: int | None = Field(description="null: any number", examples=[None])
    turns_today: int = Field(examples=[7])
    turns_this_month: int = Field(examples=[93])


@router.get("/members/{membership_id}/turn-limits", responses=problems())
async def read_of_member(
    membership_id: Annotated[MembershipIdText, Path()], caller: AdminCaller, database: DatabaseDep, response: Response
) -> TurnLimitsOut:
    """What the member asks in the portal, or with its session. The ETag comes back with a change."""
    async with database.uow(caller.tenant) as tx:
        return _shown(await turns_of_member(tx, caller.tenant, membership_id), response)


@router.put("/members/{membership_id}/turn-limits", responses=problems(412, 428))
async def limit_a_member(
    *,
    membership_id: Annotated[MembershipIdText, Path()],
    body: TurnLimitsIn,
    caller: AdminCaller,
    database: DatabaseDep,
    expected: Annotated[int, Depends(expected_revision)],
    response: Response,
) -> TurnLimitsOut:
    """The limits are as given and hold for the next message; what was asked before counts.

    Only owners change an owner's.
    """
    async with database.uow(caller.tenant) as tx:
        found = await limit_member(
            tx,
            caller.tenant,
            membership_id,
            Limits(body.per_day, body.per_month),
            by_role=caller.role or Role.VIEWER,
            by=caller.actor,
            expected=expected,
        )
    return _shown(found, response)


@router.get("/api-keys/{key_id}/turn-limits", responses=problems())
async def read_of_key(
    key_id: Annotated[ApiKeyIdText, Path()], caller: AdminCaller, database: DatabaseDep, response: Response
) -> TurnLimitsOut:
    """What a program asks with the key, all of its end users together. The ETag comes back with a change."""
    async with database.uow(caller.tenant) as tx:
        return _shown(await turns_of_key(tx, caller.tenant, key_id), response)


@router.put("/api-keys/{key_id}/turn-limits", responses=problems(412, 428))
async def limit_a_key(
    *,
    key_id: Annotated[ApiKeyIdText, Path()],
    body: TurnLimitsIn,
    caller: AdminCaller,
    database: DatabaseDep,
    expected: Annotated[int, Depends(expected_revision)],
    response: Response,
) -> TurnLimitsOut:
    """The limits are as given and hold for the next message; what was asked before counts."""
    limits = Limits(body.per_day, body.per_month)
    async with database.uow(caller.tenant) as tx:
        found = await limit_key(tx, caller.tenant, key_id, limits, by=caller.actor, expected=expected)
    return _shown(found, response)


def _shown(found: TurnsView, response: Response) -> TurnLimitsOut:
    response.headers["ETag"] = etag(found.revision)
    return TurnLimitsOut(
        per_day=found.limits.per_day,
        per_month=found.limits.per_month,
        turns_today=found.today,
        turns_this_month=found.this_month,
    )
