"""Tenants that have left traces everywhere, and their erasure."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Table, or_, select

from kontor.app.adapters import RecordedUsage
from kontor.app.schema import METADATA
from kontor.billing.metering import hit_alerts
from kontor.billing.metering.model import PolicyHits, UsageEvent, UsageHour
from kontor.core import mail
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.errors import Unavailable
from kontor.core.ids import ErasureId, PersonId, TenantId, new_id
from kontor.core.mail import Letter
from kontor.tenants.leaving.erase import Progress, Receipt, begin_erasure, progress_of
from kontor.tenants.leaving.eraser import Eraser
from kontor.tenants.leaving.ports import ErasureRegister, UsageRecords
from kontor.tenants.leaving.register import FolderRegister
from kontor.tenants.people import api_keys, sessions
from kontor.tenants.people.model import Invitation, Membership, Role
from kontor.tenants.people.sessions import Device
from kontor.tenants.talk.model import Speaker
from support.content_log import logged
from support.exports import Exports
from support.fleet import Fleet
from support.observed import ObservedInstance
from support.tenants import OWNER, a_person


class Erasures:
    """The worker that erases, and what tests ask of it."""

    def __init__(self, fleet: Fleet, exports: Exports, folder: Path) -> None:
        self.fleet = fleet
        self.exports = exports
        self.database: Database = fleet.database
        self.clock: FixedClock = fleet.clock
        self.register = FolderRegister(folder / "erasures.jsonl")
        self.eraser = self._eraser(RecordedUsage(), self.register)

    def with_usage(self, usage: UsageRecords) -> Eraser:
        """An eraser that asks `usage` to erase what billing has."""
        return self._eraser(usage, self.register)

    def with_register(self, register: ErasureRegister) -> Eraser:
        """An eraser that writes into this register."""
        return self._eraser(RecordedUsage(), register)

    def _eraser(self, usage: UsageRecords, register: ErasureRegister) -> Eraser:
        return Eraser(
            self.database,
            files=self.exports.files,
            runtime=self.fleet.runtime,
            keys=self.fleet.gateway,
            usage=usage,
            register=register,
            metadata=METADATA,
            scratch=self.exports.scratch,
        )

    async def lived_in(self, *, and_in: TenantId | None = None) -> TenantId:
        """A tenant with an assistant and rows in every table; a second member also belongs to `and_in`."""
        tenant = await self.fleet.ready_tenant()
        member = await a_person(self.database)
        async with self.database.system_uow() as tx:
            for of in (tenant, and_in):
                if of is not None:
                    joined = Membership(tenant_id=of, person_id=member, id=new_id(), role=Role.ADMIN, created_at=tx.now)
                    tx.add(joined)
        await self.exports.say(tenant, (Speaker.USER, "streng vertraulich"), (Speaker.ASSISTANT, "gewiss"))
        await self.exports.built(tenant)
        instance = ObservedInstance(self.database, tenant, self.clock.now())
        await instance.seen(instance.look(0, serving=True), instance.look(5, serving=False, cause="down"))
        async with self.database.system_uow() as tx:
            owner = (await self.members(tenant))[0]
            await sessions.begin(tx, owner, Device("192.0.2.1", "Firefox"), tenant)
            await api_keys.create(tx, tenant, name="Kasse", scopes=["chat"], expires_at=None, person=owner, by=OWNER)
            invitation = new_id()
            tx.add(
                Invitation(
                    id=invitation,
                    tenant_id=tenant,
                    email_index=uuid4().bytes,
                    email=await tx.vault.seal(tenant, f"invitations.email:{invitation}", "eva@example.org"),
                    role=Role.VIEWER,
                    invited_by=owner,
                    token_hash=uuid4().bytes,
                    created_at=tx.now,
                    expires_at=tx.now + timedelta(days=7),
                )
            )
            letter = Letter("Betreff", ("Text",))
            for of in (tenant, owner):
                await mail.send(tx, owner=of, to="ada@example.org", template="test", lang="de", letter=letter)
        await self._use(tenant)
        await logged(self.database, tenant, "streng vertraulich", "gewiss")
        async with self.database.system_uow() as tx:
            tx.add(PolicyHits(tenant_id=tenant, day=tx.now.date(), category="weapons", hits=9))
        await hit_alerts.find_due(self.database, 5)
        return tenant

    async def _use(self, tenant: TenantId) -> None:
        now = self.clock.now()
        sums: dict[str, Any] = {
            "input_tokens": 10,
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "output_tokens": 2,
            "reasoning_tokens": 0,
            "cost_nano": 5,
        }
        async with self.database.system_uow() as tx:
            tx.add(
                UsageEvent(
                    day=now.date(),
                    tenant_id=tenant,
                    id=new_id(),
                    key_id=uuid4(),
                    model_asked="m",
                    model="m",
                    provider="p",
                    currency="EUR",
                    amount_nano=5,
                    source="reported",
                    outcome="complete",
                    latency_ms=1,
                    at=now,
                    **sums,
                )
            )
            hour = now.replace(minute=0, second=0, microsecond=0)
            tx.add(
                UsageHour(
                    tenant_id=tenant, hour=hour, model="m", events=1, unpriced_events=0, estimated_events=0, **sums
                )
            )

    async def members(self, tenant: TenantId) -> list[PersonId]:
        """The owner first."""
        async with self.database.system_uow() as tx:
            rows = await tx.scalars(
                select(Membership.person_id)
                .where(Membership.tenant_id == tenant)
                .order_by(Membership.role.desc(), Membership.person_id)
            )
            return [PersonId(person) for person in rows]

    async def ask(self, tenant: TenantId) -> Receipt:
        async with self.database.uow(tenant) as tx:
            return await begin_erasure(tx, tenant, OWNER, self.fleet.gateway)

    async def work(self, erasure: ErasureId) -> None:
        """What workers do about it until there is nothing left to do."""
        await self.fleet.another().run_once()
        try:
            await self.eraser.advance(erasure)
        except Unavailable:
            await self.fleet.another().run_once()
            await self.eraser.advance(erasure)

    async def erased(self, tenant: TenantId) -> Receipt:
        receipt = await self.ask(tenant)
        await self.work(receipt.erasure)
        return receipt

    async def look(self, receipt: Receipt) -> Progress:
        async with self.database.system_uow() as tx:
            return await progress_of(tx, receipt.erasure, receipt.token)

    async def traces(self, tenant: TenantId, persons: list[PersonId]) -> dict[str, list[str]]:
        """Every row of the tenant and of these persons, by table; the audit log too."""
        found = {}
        async with self.database.system_uow() as tx:
            for table in METADATA.sorted_tables:
                query = _of(table, tenant, list(persons))
                if query is not None:
                    rows = (await tx.execute(query)).all()
                    found[table.name] = sorted(orjson.dumps(row._asdict(), default=str).decode() for row in rows)
        return found


def _of(table: Table, tenant: TenantId, persons: list[UUID]) -> Any:
    conditions = []
    if "tenant_id" in table.c:
        conditions.append(table.c.tenant_id == tenant)
    if "person_id" in table.c:
        conditions.append(table.c.person_id.in_(persons))
    if "owner" in table.c:
        conditions.append(table.c.owner.in_([tenant, *persons]))
    if table.name == "persons":
        conditions.append(table.c.id.in_(persons))
    if table.name == "tenants":
        conditions.append(table.c.id == tenant)
    return select(table).where(or_(*conditions)) if conditions else None
