"""Keys with which the company's own programs call models at the gateway, past the assistant."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from kontor.app.api.euros import CapEur, eur_of, nano_of
from kontor.app.api.ids import GatewayKeyIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.api.texts import Line
from kontor.app.http.deps import AdminCaller, ContainerDep, DatabaseDep
from kontor.app.http.errors import problems
from kontor.app.http.idempotency import IdempotentRoute
from kontor.app.http.pages import Page, PageQuery, cut, encode_cursor, page_query
from kontor.billing.errors import KeyExpiryPast
from kontor.billing.metering import direct_keys
from kontor.billing.metering.budgets.limits import Caps
from kontor.billing.metering.direct_keys import DirectKey, NewKey
from kontor.core.ids import GatewayKeyId
from kontor.core.money import decimal_of_nano

router = APIRouter(prefix="/api/v1", tags=["gateway keys"], route_class=IdempotentRoute)


class GatewayKeyIn(Body):
    """A key for a program."""

    name: Line = Field(examples=["Angebote schreiben"])
    expires_at: datetime | None = Field(None, examples=[None])
    month_cap_eur: CapEur | None = Field(None, description="of model cost in a month in Berlin", examples=["20.00"])
    day_cap_eur: CapEur | None = Field(None, description="of model cost on a day in Berlin", examples=["2.00"])


class GatewayKeyOut(Answer):
    """A key; `hint` is how its secret begins. The company's budget binds it besides its own caps."""

    id: GatewayKeyIdText
    name: str
    hint: str = Field(examples=["kgw_8f3kQ2v"])
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None
    month_cap_eur: Decimal | None
    month_spent_eur: Decimal = Field(description="since the month began", examples=["1.250000"])
    day_cap_eur: Decimal | None
    day_spent_eur: Decimal | None = Field(description="today; null without a cap of the day")


class NewGatewayKeyOut(GatewayKeyOut):
    """A new key with its secret, which is shown only here, and the address for it."""

    secret: str
    base_url: str = Field(description="for OpenAI's client libraries", examples=["https://gateway.kontor.example/v1"])


@router.get("/gateway-keys", responses=problems())
async def list_gateway_keys(
    caller: AdminCaller, database: DatabaseDep, page: Annotated[PageQuery, Depends(page_query)]
) -> Page[GatewayKeyOut]:
    """The company's keys, the newest first, also revoked ones, with what they have spent."""
    after = GatewayKeyId(page.after) if page.after else None
    async with database.uow(caller.tenant) as tx:
        found = await direct_keys.list_all(tx, caller.tenant, after=after, limit=page.limit)
    shown, more = cut(found, page.limit)
    return Page(
        items=[GatewayKeyOut(**_fields(one)) for one in shown],
        next_cursor=encode_cursor(shown[-1].id) if more else None,
    )


@router.post("/gateway-keys", status_code=201, responses=problems(409))
async def create_gateway_key(body: GatewayKeyIn, caller: AdminCaller, container: ContainerDep) -> NewGatewayKeyOut:
    """A new key. Its secret is in this answer and nowhere else."""
    if body.expires_at is not None and body.expires_at.tzinfo is None:
        raise KeyExpiryPast
    caps = Caps(nano_of(body.month_cap_eur), nano_of(body.day_cap_eur))
    wanted = NewKey(body.name, body.expires_at, caps)
    async with container.database.uow(caller.tenant) as tx:
        made, secret = await container.model_access.create_key(tx, caller.tenant, wanted, caller.actor)
    return NewGatewayKeyOut(**_fields(made), secret=secret, base_url=container.settings.models_url)


@router.delete("/gateway-keys/{key_id}", status_code=204, responses=problems())
async def revoke_gateway_key(
    key_id: Annotated[GatewayKeyIdText, Path()], caller: AdminCaller, database: DatabaseDep
) -> None:
    """The key opens nothing any more, within a second."""
    async with database.uow(caller.tenant) as tx:
        await direct_keys.revoke(tx, caller.tenant, key_id, caller.actor)


def _fields(one: DirectKey) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "hint": one.hint,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "last_used_at": one.last_used_at,
        "revoked_at": one.revoked_at,
        "month_cap_eur": eur_of(one.month.cap_nano),
        "month_spent_eur": decimal_of_nano(one.month.spent_nano),
        "day_cap_eur": eur_of(one.day.cap_nano) if one.day else None,
        "day_spent_eur": eur_of(one.day.spent_nano) if one.day else None,
    }
