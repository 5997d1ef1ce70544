"""The operator's console. To customers it does not exist; the staff needs a second factor."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from kontor.app.api.euros import nano_of
from kontor.app.api.ids import TenantIdText
from kontor.app.http.pages import PageQuery, cut, encode_cursor, page_query
from kontor.app.ops.budgets import OperatorCapIn
from kontor.app.portal.frame import EMPTY, Form
from kontor.app.portal.routes.amounts import shown_eur, typed_eur
from kontor.app.portal.routes.page import Look, LookDep, Staff, again, read_form, sent, to
from kontor.app.portal.views import ops
from kontor.app.portal.views.company import AuditRow
from kontor.app.portal.views.policy import CategoryRow
from kontor.billing.metering.hits import hits_of_tenants
from kontor.billing.metering.policy.meaning import meaning_of
from kontor.billing.queries import Used
from kontor.billing.tenants_usage import usage_of_tenants
from kontor.core.audit_log import read_chain
from kontor.core.clock import day_of, month_of
from kontor.core.db import Tx
from kontor.core.errors import DomainError, NotFound
from kontor.core.i18n import Text
from kontor.core.ids import PREFIXES, InstanceId, TenantId, encode
from kontor.tenants.errors import FieldInvalid
from kontor.tenants.events import Suspension
from kontor.tenants.leaving.erase import begin_erasure
from kontor.tenants.lifecycle.instances_list import InstanceLine, count_pool, instance_line, list_instances
from kontor.tenants.lifecycle.operators_list import TenantLine, count_tenants, find_tenant, list_tenants
from kontor.tenants.lifecycle.resume import resume
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.suspend import suspend
from kontor.tenants.model import TenantState
from kontor.tenants.states import Phase

router = APIRouter(prefix="/ops", include_in_schema=False)
TenantPath = Annotated[TenantIdText, Path()]
Pages = Annotated[PageQuery, Depends(page_query)]
Word = Annotated[str, Query(max_length=100)]
RECENT: Final = 20
REFUSED_DAYS: Final = 30
_ACTS: Final = {
    TenantState.ONBOARDING: frozenset({"delete"}),
    TenantState.ACTIVE: frozenset({"suspend", "retry", "delete", "budget"}),
    TenantState.SUSPENDED: frozenset({"resume", "delete", "budget"}),
    TenantState.ERASING: frozenset[str](),
}
_NOT_THE_NAME: Final = Text(
    de="Geben Sie den Namen des Mandanten genau so ein, wie er oben steht.",
    en="Type the tenant's name exactly as it stands above.",
)


@router.get("/tenants")
async def tenants(
    look: LookDep, page: Pages, *, q: Word = "", state: Word = "", phase: Word = "", part: str = ""
) -> Response:
    """All tenants, the newest first; `part=list` is the rows alone, asked for while typing."""
    look.staff()
    states = TenantState(state) if state in set(TenantState) else None
    phases = Phase(phase) if phase in set(Phase) else None
    async with look.container.database.system_uow() as tx:
        before = TenantId(page.after) if page.after else None
        found = await list_tenants(tx, state=states, phase=phases, search=q, before=before, limit=page.limit + 1)
        total = await count_tenants(tx, state=states, phase=phases, search=q)
    shown, has_more = cut(found, page.limit)
    shape = ops.TenantsPart if part == "list" else ops.Tenants
    only = ops.TenantFilter(q, states or "", phases or "")
    cursor = encode_cursor(shown[-1].id) if has_more else None
    return await look.show(shape(tuple(_row(look, one) for one in shown), total, only, cursor), "tenants")


@router.get("/tenants/{tenant_id}")
async def tenant(tenant_id: TenantPath, look: LookDep) -> Response:
    """One tenant, its instance, and what was done."""
    return await look.show(await _page(look, look.staff(), tenant_id), "tenants")


@router.post("/tenants/{tenant_id}/suspend")
async def suspend_tenant(tenant_id: TenantPath, request: Request, look: LookDep) -> Response:
    """The assistant answers with the notice; data and export stay."""
    staff = look.staff(acts=True)
    why = (await sent(request)).get("why", "")
    reason = Suspension(why) if why in set(Suspension) else Suspension.OPERATOR
    return await _act(look, staff, tenant_id, lambda tx: suspend(tx, tenant_id, reason, staff.actor))


@router.post("/tenants/{tenant_id}/resume")
async def resume_tenant(tenant_id: TenantPath, look: LookDep) -> Response:
    """The assistant answers again."""
    staff = look.staff(acts=True)
    return await _act(look, staff, tenant_id, lambda tx: resume(tx, tenant_id, staff.actor))


@router.post("/tenants/{tenant_id}/retry")
async def retry_tenant(tenant_id: TenantPath, look: LookDep) -> Response:
    """A failed setup begins anew."""
    staff = look.staff(acts=True)
    return await _act(look, staff, tenant_id, lambda tx: retry_provisioning(tx, tenant_id, staff.actor))


@router.post("/tenants/{tenant_id}/budget")
async def bound_tenant(tenant_id: TenantPath, request: Request, look: LookDep) -> Response:
    """The tenant may spend at most what was typed; nothing typed: what its plan allows."""
    staff = look.staff(acts=True)
    values = await sent(request)
    form = read_form(OperatorCapIn, {"cap_eur": typed_eur(values.get("cap_eur", ""))}, look.lang)
    if isinstance(form, Form):
        typed = Form(values, form.errors, form.problem)
        return await look.show(await _page(look, staff, tenant_id, typed), "tenants", status=422)
    nano, access = nano_of(form.cap_eur), look.container.model_access
    return await _act(look, staff, tenant_id, lambda tx: access.set_operator_cap(tx, tenant_id, nano, staff.actor))


@router.post("/tenants/{tenant_id}/delete")
async def erase_tenant(tenant_id: TenantPath, request: Request, look: LookDep) -> Response:
    """Everything of the tenant is being erased, when its name was typed."""
    staff = look.staff(acts=True)
    typed = (await sent(request)).get("confirm", "").strip()

    async def erase(tx: Tx) -> None:
        if typed != (await _line(look, tenant_id)).slug:
            raise FieldInvalid("confirm", _NOT_THE_NAME)
        await begin_erasure(tx, tenant_id, staff.actor, look.container.keys)

    return await _act(look, staff, tenant_id, erase, {"confirm": typed})


@router.get("/instances")
async def instances(look: LookDep, page: Pages) -> Response:
    """All instances and the warm pool, the newest first."""
    look.staff()
    async with look.container.database.system_uow() as tx:
        before = InstanceId(page.after) if page.after else None
        found = await list_instances(tx, before=before, limit=page.limit + 1)
        ready = await count_pool(tx)
    shown, has_more = cut(found, page.limit)
    cursor = encode_cursor(shown[-1].id) if has_more else None
    size = look.container.settings.pool_size
    return await look.show(ops.Instances(tuple(map(_instance, shown)), ready, size, cursor), "instances")


async def _act(
    look: Look,
    staff: Staff,
    tenant: TenantId,
    act: Callable[[Tx], Awaitable[object]],
    typed: dict[str, str] | None = None,
) -> Response:
    try:
        async with look.container.database.uow(tenant) as tx:
            await act(tx)
    except DomainError as error:
        form = again(typed or {}, error, look.lang)
        return await look.show(await _page(look, staff, tenant, form), "tenants", status=409)
    return to(f"/ops/tenants/{encode(PREFIXES['tenant'], tenant)}")


async def _page(look: Look, staff: Staff, tenant: TenantId, form: Form = EMPTY) -> ops.TenantPage:
    line = await _line(look, tenant)
    catalogue = look.container.catalogue
    async with look.container.database.system_uow() as tx:
        own = await instance_line(tx, InstanceId(line.instance)) if line.instance else None
        today = day_of(tx.now)
        refused = await hits_of_tenants(tx, today - timedelta(days=REFUSED_DAYS - 1), today, tenant=tenant)
        entries = (await read_chain(tx, tenant, before=None, limit=RECENT))[:RECENT]
        used = await usage_of_tenants(tx, day_of(month_of(tx.now).start), today, only=tenant)
    async with look.container.database.uow(tenant) as tx:
        budget = await look.container.model_access.budget(tx, tenant)
    if not form.values:
        form = replace(form, values={"cap_eur": shown_eur(budget.plan.operator_cap_nano, look.lang)})
    return ops.TenantPage(
        row=_row(look, line),
        country=catalogue.country(line.country).name(look.lang),
        industry=catalogue.industry(line.industry).name(look.lang),
        residency=catalogue.residency(line.residency).name(look.lang),
        suspended_for=line.suspended_for,
        instance=_instance(own) if own else None,
        audit=tuple(AuditRow(one.seq, one.at, one.actor, one.action, one.target, one.hash) for one in entries),
        refused=tuple(CategoryRow(meaning_of(o.category).name, meaning_of(o.category).what, o.hits) for o in refused),
        refused_days=REFUSED_DAYS,
        acts=_ACTS[line.state] if staff.may_act else frozenset(),
        budget=budget,
        used=used[0].used if used else Used(),
        refusals=tuple(used[0].refusals.items()) if used else (),
        reasons=tuple(Suspension),
        form=form,
    )


async def _line(look: Look, tenant: TenantId) -> TenantLine:
    async with look.container.database.system_uow() as tx:
        found = await find_tenant(tx, encode(PREFIXES["tenant"], tenant))
    if found is None:
        raise NotFound
    return found


def _row(look: Look, line: TenantLine) -> ops.TenantRow:
    return ops.TenantRow(
        id=encode(PREFIXES["tenant"], line.id),
        slug=line.slug,
        plan=look.container.prices.plans[line.plan].name,
        is_pilot=line.is_pilot,
        state=line.state.value,
        phase=line.phase,
        failure=line.failure_code,
        members=line.members,
        seats=line.seats,
        since=line.created_at,
    )


def _instance(one: InstanceLine) -> ops.InstanceRow:
    return ops.InstanceRow(
        id=encode(PREFIXES["instance"], one.id),
        tenant=encode(PREFIXES["tenant"], one.tenant) if one.tenant else None,
        tenant_slug=one.tenant_slug,
        phase=Phase(one.phase).value,
        observed=one.observed,
        release=one.release,
        site=one.site,
        revision=one.revision,
        applied_revision=one.applied_revision,
        tries=one.tries,
        restarts=one.restarts,
        created_at=one.created_at,
        failure_code=one.failure_code,
        failure=one.failure_detail,
    )
