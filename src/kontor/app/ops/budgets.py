"""A tenant's AI budget as operators see and bound it."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from kontor.app.api.budget import BudgetOut, budget_fields
from kontor.app.api.euros import CapEur, eur_of, nano_of
from kontor.app.api.ids import TenantIdText
from kontor.app.api.schemas import Body
from kontor.app.http.deps import ContainerDep, OperatorCaller, OperatorReader
from kontor.app.http.errors import problems
from kontor.billing.metering.budgets.standing import TenantBudget
from kontor.core.audit import Actor
from kontor.tenants.people.sessions import person_text

router = APIRouter(prefix="/api/v1/ops", tags=["operator"])

TenantPath = Annotated[TenantIdText, Path()]


class OperatorBudgetOut(BudgetOut):
    """The tenant's budget, and the operator's cap on it."""

    operator_cap_eur: Decimal | None = Field(description="null: what the plan allows")


class OperatorCapIn(Body):
    """How much the tenant may spend at most in a month, or in a whole pilot; null: what its plan allows."""

    cap_eur: CapEur | None = Field(examples=["40.00"])


@router.get("/tenants/{tenant_id}/budget", responses=problems())
async def show_budget(tenant_id: TenantPath, _: OperatorReader, container: ContainerDep) -> OperatorBudgetOut:
    """Where the tenant's budget stands now."""
    async with container.database.uow(tenant_id) as tx:
        return _out(await container.model_access.budget(tx, tenant_id))


@router.put("/tenants/{tenant_id}/budget", responses=problems(409))
async def bound_budget(
    tenant_id: TenantPath, body: OperatorCapIn, caller: OperatorCaller, container: ContainerDep
) -> OperatorBudgetOut:
    """The tenant may spend at most this, also above a pilot's cap. A lower cap of its own stays."""
    by = Actor("operator", person_text(caller.person), caller.address, caller.person)
    async with container.database.uow(tenant_id) as tx:
        return _out(await container.model_access.set_operator_cap(tx, tenant_id, nano_of(body.cap_eur), by))


def _out(found: TenantBudget) -> OperatorBudgetOut:
    return OperatorBudgetOut(**budget_fields(found), operator_cap_eur=eur_of(found.plan.operator_cap_nano))
