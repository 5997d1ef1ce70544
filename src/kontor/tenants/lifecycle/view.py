"""What the portal shows of an assistant on its way: state, progress, and what went wrong in a sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kontor.core.db import Tx
from kontor.core.i18n import Text
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.lifecycle.rows import instance_of, tenant_of
from kontor.tenants.model import TenantState
from kontor.tenants.provisioning import failures
from kontor.tenants.provisioning.model import Assignment, Instance
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase

# Measured on two cores: from started to ready. Only the progress bar depends on it.
USUAL_START: Final = timedelta(seconds=10)

_OPEN = Text(de="Es fehlt noch Ihre Zustimmung zu den Verträgen.", en="Your acceptance of the contracts is missing.")
_RESERVED = Text(de="Ein Platz für Ihren Assistenten wird reserviert.", en="A place for your assistant is reserved.")
_KEYS = Text(de="Schlüssel und Zugänge werden angelegt.", en="Keys and credentials are being made.")
_QUEUED = Text(de="Ihr Assistent wird gleich gestartet.", en="Your assistant is about to be started.")
_STARTING = Text(de="Ihr Assistent startet.", en="Your assistant is starting.")
_LEARNING = Text(de="Ihr Assistent bekommt Ihre Angaben.", en="Your assistant receives your settings.")
_READY = Text(de="Ihr Assistent ist bereit.", en="Your assistant is ready.")
_HIBERNATED = Text(
    de="Ihr Assistent ruht; die nächste Nachricht weckt ihn.",
    en="Your assistant hibernates; the next message wakes it.",
)
_SUSPENDED = Text(de="Ihr Assistent ist gesperrt.", en="Your assistant is suspended.")
_ENDING = Text(de="Ihr Assistent wird gelöscht.", en="Your assistant is being erased.")
_FAILED = Text(de="Die Einrichtung ist fehlgeschlagen.", en="The setup has failed.")
_DOWN = Text(de="Ihr Assistent wird neu gestartet.", en="Your assistant is being restarted.")


@dataclass(frozen=True, slots=True)
class AssistantView:
    """`phase` is None before there is an instance. `failure` is set only while something is wrong."""

    instance: InstanceId | None
    phase: Phase | None
    observed: Observed
    is_serving: bool
    progress_pct: int
    step: Text
    failure: Text | None = None
    failure_code: str | None = None
    can_retry: bool = False
    restarts: int = 0
    ready_at: datetime | None = None
    last_used_at: datetime | None = None


async def assistant_view(tx: Tx, tenant: TenantId) -> AssistantView:
    """The assistant as the tenant's people see it. Raises NotFound."""
    owner = await tenant_of(tx, tenant)
    instance = await instance_of(tx, tenant)
    if instance is None:
        waits = owner.state == TenantState.ACTIVE
        return AssistantView(None, None, Observed.ABSENT, False, 5 if waits else 0, _RESERVED if waits else _OPEN)  # noqa: FBT003 - not serving
    assignment = await tx.get_one(Assignment, tenant, populate_existing=True)
    return _view(instance, assignment.ready_at, tx.now)


def _view(row: Instance, ready_at: datetime | None, now: datetime) -> AssistantView:
    phase, observed = Phase(row.phase), Observed(row.observed)
    is_serving = phase is Phase.READY and observed is Observed.READY and ready_at is not None
    progress, step = _progress(row, ready_at, now)
    failure = None
    if row.failure_code is not None and not is_serving:
        sentence = failures.given_up if phase is Phase.FAILED else failures.restarting
        failure = sentence(row.failure_code)
    return AssistantView(
        instance=InstanceId(row.id),
        phase=phase,
        observed=observed,
        is_serving=is_serving,
        progress_pct=progress,
        step=step,
        failure=failure,
        failure_code=row.failure_code if failure else None,
        can_retry=failure is not None and phase in (Phase.FAILED, Phase.PROVISIONING, Phase.READY),
        restarts=row.restarts,
        ready_at=ready_at,
        last_used_at=row.last_used_at,
    )


def _progress(row: Instance, ready_at: datetime | None, now: datetime) -> tuple[int, Text]:
    """Percent and what is going on. Grows on the way to ready as long as nothing fails."""
    match Phase(row.phase):
        case Phase.HIBERNATED:
            return 100, _HIBERNATED
        case Phase.SUSPENDED:
            return 100, _SUSPENDED
        case Phase.ENDING:
            return 100, _ENDING
        case Phase.FAILED:
            return 0, _FAILED
        case Phase.PROVISIONING | Phase.READY:
            if ready_at is not None and row.observed != Observed.READY:
                return 90, _STARTING if row.failure_code is None else _DOWN
            return _on_the_way(row, ready_at, now)


def _on_the_way(row: Instance, ready_at: datetime | None, now: datetime) -> tuple[int, Text]:
    if row.token is None:
        return 10, _KEYS
    if row.observed == Observed.STARTING and row.observed_at is not None:
        return 30 + min(50, int(50 * ((now - row.observed_at) / USUAL_START))), _STARTING
    if row.observed != Observed.READY:
        return 20, _QUEUED
    return (90, _LEARNING) if ready_at is None else (100, _READY)
