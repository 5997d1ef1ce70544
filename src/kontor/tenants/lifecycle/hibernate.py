"""Putting an assistant to sleep and waking it. Its volume stays; only the process goes."""

from kontor.core import audit
from kontor.core.audit import Actor
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.events import publish
from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.errors import NotPossible
from kontor.tenants.events import AssistantHibernated, AssistantWoken
from kontor.tenants.lifecycle.rows import instance_of, move, target_of
from kontor.tenants.provisioning.model import Instance
from kontor.tenants.states import Phase


async def hibernate(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """The process ends; the next message wakes it. A second call changes nothing.

    Raises NotFound (no assistant yet), NotPossible (not in service).
    """
    instance = await _of(tx, tenant)
    if instance.phase == Phase.HIBERNATED:
        return
    await move(tx, instance, Phase.HIBERNATED)
    await audit.record(tx, by, "assistant.hibernated", target=target_of(tenant), tenant=tenant)
    await publish(tx, AssistantHibernated(tenant, InstanceId(instance.id)))


async def wake(tx: Tx, tenant: TenantId, by: Actor) -> None:
    """The process is started; `target` tells when it answers. Changes nothing when it is awake or on its way.

    Raises NotFound (no assistant yet), NotPossible (suspended, being erased, setup failed).
    """
    instance = await _of(tx, tenant)
    if instance.phase in (Phase.READY, Phase.PROVISIONING):
        return
    if instance.phase != Phase.HIBERNATED:
        raise NotPossible(Phase(instance.phase), Phase.READY)
    await move(tx, instance, Phase.READY)
    instance.last_used_at = tx.now
    await audit.record(tx, by, "assistant.woken", target=target_of(tenant), tenant=tenant)
    await publish(tx, AssistantWoken(tenant, InstanceId(instance.id)))


async def _of(tx: Tx, tenant: TenantId) -> Instance:
    instance = await instance_of(tx, tenant, lock=True)
    if instance is None:
        raise NotFound
    return instance
