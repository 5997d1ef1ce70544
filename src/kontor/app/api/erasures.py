"""Leaving for good: the owner deletes the company, and whoever holds the receipt sees that nothing is left."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path
from pydantic import Field

from kontor.app.api.ids import ErasureIdText, TenantIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.api.texts import Line
from kontor.app.http.deps import ContainerDep, DatabaseDep, OwnerCaller
from kontor.app.http.errors import problems
from kontor.core.ids import PREFIXES, encode
from kontor.tenants.leaving.erase import progress_of, request_erasure
from kontor.tenants.leaving.model import ErasureStep

router = APIRouter(prefix="/api/v1", tags=["erasures"])


class ErasureIn(Body):
    """The confirmation."""

    confirm: Line = Field(description="the company's name, as it is shown", examples=["Bäckerei Müller GmbH"])


class ReceiptOut(Answer):
    """Keep it: after the erasure nothing else proves it to you."""

    erasure_id: ErasureIdText
    token: str = Field(description="send it as `Authorization: Bearer ...` to `url`", examples=["b1k2…"])
    url: str


class ProofOut(Answer):
    """What was measured after the deletion. All counts are zero, else the erasure is not done."""

    measured_at: datetime
    rows_left: dict[str, int] = Field(description="by table of the database")
    files_left: int
    instances_left: int = Field(description="processes and folders of the assistant")
    data_keys_left: int = Field(description="of the company, of its assistant, of persons without another company")
    audit_entries: int = Field(description="kept: who did what, without any name that could still be read")
    audit_head: str = Field(description="the last link of the audit log's hash chain, hexadecimal")
    audit_is_intact: bool


class ErasureOut(Answer):
    """How far an erasure is."""

    id: ErasureIdText
    tenant_id: TenantIdText
    step: ErasureStep
    is_done: bool
    requested_at: datetime
    done_at: datetime | None
    proof: ProofOut | None


@router.delete("/tenant", status_code=202, responses=problems())
async def delete_company(body: ErasureIn, caller: OwnerCaller, container: ContainerDep) -> ReceiptOut:
    """Everything of the company is being erased; it cannot be undone. A second call gives the same receipt."""
    async with container.database.uow(caller.tenant) as tx:
        receipt = await request_erasure(tx, caller.tenant, caller.actor, container.keys, confirm=body.confirm)
    url = f"{container.settings.base_url.rstrip('/')}/api/v1/erasures/{encode(PREFIXES['erasure'], receipt.erasure)}"
    return ReceiptOut(erasure_id=receipt.erasure, token=receipt.token, url=url)


@router.get("/erasures/{erasure_id}", responses=problems())
async def read_erasure(
    erasure_id: Annotated[ErasureIdText, Path()],
    database: DatabaseDep,
    authorization: Annotated[str, Header(max_length=200, description="`Bearer` and the receipt's token")] = "",
) -> ErasureOut:
    """The progress, and at the end the proof, for whoever holds the receipt. Without it, 404."""
    scheme, _, token = authorization.partition(" ")
    async with database.system_uow() as tx:
        found = await progress_of(tx, erasure_id, token.strip() if scheme.lower() == "bearer" else "")
    return ErasureOut(
        id=found.erasure,
        tenant_id=found.tenant,
        step=found.step,
        is_done=found.done_at is not None,
        requested_at=found.requested_at,
        done_at=found.done_at,
        proof=ProofOut.model_validate(dict(found.proof)) if found.proof else None,
    )
