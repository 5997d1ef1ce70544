"""What is written down about instances: read as facts for the plan, written back under lease and generation."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text, update

from kontor.core.db import Tx
from kontor.core.events import publish
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.events import AssistantFailed, AssistantReady, AssistantRemoved
from kontor.tenants.model import Tenant, TenantState
from kontor.tenants.provisioning import leases, plan
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.plan import Facts
from kontor.tenants.provisioning.runtime import Observation, Observed
from kontor.tenants.provisioning.spec import Dialect
from kontor.tenants.states import Phase, step

_START_LOCK: Final = 0x6B6F6E746F72_0002


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that a look at the whole needs: all instances' facts, the pool's, and tenants without an instance.

    `speaking` are instances by their tenant's data residency (None: of the pool) and the dialect that their row says.
    """

    facts: list[Facts]
    pool_releases: list[str]
    unstaffed: list[TenantId]
    speaking: dict[tuple[str | None, str], list[InstanceId]]


async def survey(tx: Tx) -> Survey:
    """One look at all rows."""
    rows = (await tx.execute(_FACTS)).all()
    unstaffed = await tx.scalars(
        select(Tenant.id)
        .where(Tenant.state == TenantState.ACTIVE)
        .where(~select(Assignment.tenant_id).where(Assignment.tenant_id == Tenant.id).exists())
        .order_by(Tenant.activated_at)
    )
    pooled = [row.release for row in rows if row.sealed_for == row.id and row.phase != Phase.ENDING]
    speaking: dict[tuple[str | None, str], list[InstanceId]] = {}
    for row in rows:
        if row.phase != Phase.ENDING:
            speaking.setdefault((row.residency, row.dialect), []).append(InstanceId(row.id))
    return Survey([_facts(row) for row in rows], pooled, [TenantId(tenant) for tenant in unstaffed], speaking)


async def speak(tx: Tx, instances: list[InstanceId], dialect: Dialect, *, before: str) -> None:
    """These instances are to ask for their model in another dialect; one that does not speak `before` is left alone."""
    await tx.execute(
        update(Instance)
        .where(Instance.id.in_(instances), Instance.dialect == before)
        .values(dialect=dialect, revision=Instance.revision + 1)
        .execution_options(synchronize_session=False)
    )


async def load(tx: Tx, worker: UUID, instance: InstanceId) -> Facts | None:
    """The facts while the worker's lease is its own; None otherwise."""
    row = (await tx.execute(_FACTS.where(Instance.id == instance, Instance.lease_by == worker))).one_or_none()
    return _facts(row) if row is not None else None


async def fenced(tx: Tx, worker: UUID, facts: Facts) -> Instance | None:
    """The row, locked, when the lease is still the worker's and nobody has decided anything new since `facts`."""
    row = await leases.held(tx, worker, facts.id)
    return row if row is not None and row.generation == facts.generation else None


async def claim_start(tx: Tx, row: Instance, facts: Facts, limit: int) -> bool:
    """The instance counts as starting, unless `limit` others are; one of the pool leaves room for assigned ones.

    Without a place its next try is a moment away.
    """
    await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _START_LOCK})
    should_run = Instance.phase.in_([Phase.PROVISIONING, Phase.READY])
    others = select(func.count()).select_from(Instance).where(should_run, Instance.id != row.id)
    busy = await tx.scalar(others.where(Instance.observed == Observed.STARTING)) or 0
    if facts.tenant is None:
        ahead = others.join(Assignment, Assignment.instance_id == Instance.id).where(
            Instance.observed.not_in([Observed.STARTING, Observed.READY]), Instance.due_at <= tx.now
        )
        busy += await tx.scalar(ahead) or 0
    if busy >= limit:
        row.due_at = tx.now + 2 * plan.POLL
        return False
    if row.observed != Observed.STARTING:
        see(tx, row, Observed.STARTING)
    return True


def see(tx: Tx, row: Instance, observed: Observed) -> None:
    """The row says what is, and since when."""
    if row.observed != observed:
        row.observed, row.observed_at = observed, tx.now


async def note(tx: Tx, row: Instance, facts: Facts, seen: Observation) -> None:
    """The row says what the runtime shows; who became ready is ready, and its tenant is told once."""
    was_serving = row.observed == Observed.READY
    if was_serving and seen.state is Observed.STARTING:
        row.failure_code = "not_answering"
    see(tx, row, seen.state)
    row.endpoint = seen.endpoint
    if seen.state is not Observed.READY or row.phase not in (Phase.PROVISIONING, Phase.READY):
        return
    row.phase = step(Phase(row.phase), Phase.READY)
    row.ready_at = row.ready_at or tx.now
    is_stable = was_serving and row.observed_at is not None and tx.now - row.observed_at >= plan.STABLE_AFTER
    if is_stable or row.tries == 0:
        forgive(row)
    if facts.tenant is not None and row.applied_revision >= row.revision:
        assignment = await tx.get_one(Assignment, facts.tenant, with_for_update=True)
        if assignment.ready_at is None:
            assignment.ready_at = tx.now
            await publish(tx, AssistantReady(facts.tenant, facts.id))


async def set_back(
    tx: Tx, row: Instance, facts: Facts, code: str, detail: str | None, *, is_down: bool = False
) -> None:
    """One more try has failed, and the next one waits. A provisioning is given up after the last one.

    `is_down`: the process is not there. The tenant of a provisioning that is given up is told.
    """
    row.tries += 1
    row.failure_code, row.failure_detail = code, detail
    was_serving = row.observed == Observed.READY
    if is_down:
        row.restarts += was_serving
        see(tx, row, Observed.FAILED)
    row.due_at = tx.now + plan.pause_after(row.tries, was_serving=is_down and was_serving)
    if row.phase == Phase.PROVISIONING and row.tries >= plan.MAX_TRIES:
        row.phase = step(Phase.PROVISIONING, Phase.FAILED)
        row.generation += 1
        if facts.tenant is None:
            row.due_at = tx.now + plan.POOL_PAUSE
        else:
            row.due_at = tx.now
            await publish(tx, AssistantFailed(facts.tenant, facts.id, code))


def forgive(row: Instance) -> None:
    """What went wrong before no longer counts."""
    row.tries = 0
    row.failure_code = row.failure_detail = None


async def remove(tx: Tx, row: Instance, facts: Facts) -> None:
    """The instance and its assignment are gone from the database; the tenant's rooms are told."""
    await tx.execute(delete(Assignment).where(Assignment.instance_id == row.id))
    await tx.delete(row)
    if facts.tenant is not None:
        await publish(tx, AssistantRemoved(facts.tenant, facts.id))


# Columns, not entities: a look at ten thousand instances happens several times a second.
_FACTS: Final = (
    select(
        Instance.id,
        Assignment.tenant_id,
        Instance.phase,
        Instance.observed,
        Instance.observed_at,
        Instance.endpoint,
        Instance.token.is_not(None).label("is_minted"),
        Instance.has_own_key,
        Assignment.ready_at.is_not(None).label("is_announced"),
        Instance.failure_code,
        Instance.generation,
        Instance.revision,
        Instance.applied_revision,
        Instance.tries,
        Instance.due_at,
        Instance.release,
        Instance.sealed_for,
        Instance.dialect,
        Tenant.residency,
    )
    .outerjoin(Assignment, Assignment.instance_id == Instance.id)
    .outerjoin(Tenant, Tenant.id == Assignment.tenant_id)
    .order_by(Instance.id)
)


def _facts(row: Row[*tuple[Any, ...]]) -> Facts:
    return Facts(
        id=InstanceId(row.id),
        tenant=TenantId(row.tenant_id) if row.tenant_id else None,
        phase=Phase(row.phase),
        observed=Observed(row.observed),
        observed_at=row.observed_at,
        endpoint=row.endpoint,
        is_minted=row.is_minted,
        has_own_key=row.has_own_key,
        is_announced=row.is_announced,
        failure_code=row.failure_code,
        generation=row.generation,
        revision=row.revision,
        applied_revision=row.applied_revision,
        tries=row.tries,
        due_at=row.due_at,
    )
