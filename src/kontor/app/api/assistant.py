"""The assistant: how far it is, what it is called and told, and the acts that its owner may ask for."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from kontor.app.api.schemas import Answer, Body
from kontor.app.api.texts import Line, Prose
from kontor.app.http.deps import Caller, DatabaseDep, scoped
from kontor.app.http.errors import problems
from kontor.app.http.etags import etag, expected_revision
from kontor.app.http.idempotency import IdempotentRoute
from kontor.core.db import Tx
from kontor.tenants.lifecycle.assistant import edit_assistant, read_assistant
from kontor.tenants.lifecycle.fields import DISPLAY_NAME_LENGTH, PROMPT_LENGTH
from kontor.tenants.lifecycle.hibernate import hibernate, wake
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.view import assistant_view
from kontor.tenants.people.model import Role
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase

router = APIRouter(prefix="/api/v1/assistant", tags=["assistant"], route_class=IdempotentRoute)

Reader = Annotated[Caller, Depends(scoped("read"))]
Keeper = Annotated[Caller, Depends(scoped("admin", Role.OWNER, Role.ADMIN))]


class AssistantOut(Answer):
    """The assistant now. `failure` is set only while something is wrong."""

    phase: Phase | None = Field(description="what should be; null while the contracts are open or a place is reserved")
    observed: Observed = Field(description="what is")
    is_serving: bool = Field(description="whether it answers just now without being waited for")
    progress: int = Field(ge=0, le=100, description="percent of the way to ready")
    step: str = Field(examples=["Ihr Assistent startet."])
    failure: str | None
    failure_code: str | None = Field(examples=["port_taken"])
    can_retry: bool
    restarts: int
    ready_at: datetime | None
    last_used_at: datetime | None
    display_name: str
    system_prompt: str


class AssistantPatch(Body):
    """What is to change; what is left out stays."""

    display_name: Annotated[Line, Field(max_length=DISPLAY_NAME_LENGTH)] | None = Field(None, examples=["Ada"])
    system_prompt: Annotated[Prose, Field(min_length=1, max_length=PROMPT_LENGTH)] | None = Field(
        None, examples=["Wir öffnen um 7 Uhr. Duze niemanden."]
    )


@router.get("", responses=problems())
async def show_assistant(caller: Reader, database: DatabaseDep, response: Response) -> AssistantOut:
    """State, name and instructions. The ETag is that of name and instructions, and comes back with a change."""
    async with database.uow(caller.tenant) as tx:
        return await _out(tx, caller, response)


@router.patch("", responses=problems(409, 412, 428))
async def change_assistant(
    body: AssistantPatch,
    caller: Keeper,
    database: DatabaseDep,
    expected: Annotated[int, Depends(expected_revision)],
    response: Response,
) -> AssistantOut:
    """The assistant uses name and instructions from its next answer on."""
    async with database.uow(caller.tenant) as tx:
        await edit_assistant(
            tx,
            caller.tenant,
            caller.actor,
            expected=expected,
            display_name=body.display_name,
            system_prompt=body.system_prompt,
        )
        return await _out(tx, caller, response)


@router.post("/retry", status_code=202, responses=problems(409))
async def retry(caller: Keeper, database: DatabaseDep, response: Response) -> AssistantOut:
    """A setup that failed begins anew; a restart that waits is tried at once."""
    async with database.uow(caller.tenant) as tx:
        await retry_provisioning(tx, caller.tenant, caller.actor)
        return await _out(tx, caller, response)


@router.post("/hibernation", status_code=202, responses=problems(409))
async def send_to_sleep(caller: Keeper, database: DatabaseDep, response: Response) -> AssistantOut:
    """The assistant's process ends; the next message wakes it. A second call changes nothing."""
    async with database.uow(caller.tenant) as tx:
        await hibernate(tx, caller.tenant, caller.actor)
        return await _out(tx, caller, response)


@router.post("/wake-up", status_code=202, responses=problems(409))
async def wake_up(caller: Keeper, database: DatabaseDep, response: Response) -> AssistantOut:
    """The assistant is started. Changes nothing when it is awake."""
    async with database.uow(caller.tenant) as tx:
        await wake(tx, caller.tenant, caller.actor)
        return await _out(tx, caller, response)


async def _out(tx: Tx, caller: Caller, response: Response) -> AssistantOut:
    await tx.flush()
    view = await assistant_view(tx, caller.tenant)
    text = await read_assistant(tx, caller.tenant)
    response.headers["ETag"] = etag(text.revision)
    return AssistantOut(
        phase=view.phase,
        observed=view.observed,
        is_serving=view.is_serving,
        progress=view.progress_pct,
        step=view.step(caller.lang),
        failure=view.failure(caller.lang) if view.failure else None,
        failure_code=view.failure_code,
        can_retry=view.can_retry,
        restarts=view.restarts,
        ready_at=view.ready_at,
        last_used_at=view.last_used_at,
        display_name=text.display_name,
        system_prompt=text.system_prompt,
    )
