"""An erasure: everything of the tenant goes, nothing of anybody else, and what is left is measured."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from kontor.app.adapters import RecordedUsage
from kontor.core import audit
from kontor.core.db import Database, Tx
from kontor.core.errors import DomainError, NotFound, Unavailable
from kontor.core.ids import InstanceId, PersonId, TenantId, new_id
from kontor.core.jobs import Job, Work, Worker
from kontor.tenants.leaving.erase import ADVANCE_JOB, progress_of, receipt_of, request_erasure
from kontor.tenants.leaving.eraser import advance_at_once, advance_due
from kontor.tenants.leaving.model import ErasureStep
from kontor.tenants.people.model import Person, SignUp
from kontor.tenants.talk.model import Speaker
from support.erasures import Erasures
from support.exports import Exports
from support.fleet import Fleet
from support.mortal import Life
from support.tenants import OWNER

AUDIT = {"audit_entries", "audit_heads"}


async def test_nothing_of_an_erased_tenant_is_left_but_its_audit_log(
    erasures: Erasures, exports: Exports, fleet: Fleet, database: Database
) -> None:
    tenant = await erasures.lived_in()
    persons = await erasures.members(tenant)
    before = await erasures.traces(tenant, persons)

    receipt = await erasures.erased(tenant)

    after = await erasures.traces(tenant, persons)
    assert {name for name, found in before.items() if found} >= {
        "tenants", "memberships", "persons", "sessions", "mails", "invitations", "api_keys", "assistant_settings",
        "conversations", "messages", "exports", "services", "outages", "usage_events", "usage_hourly", "gateway_keys",
        "content_logs", "content_entries", "policy_hits", "policy_alerts",
    }  # fmt: skip
    assert {name for name, found in after.items() if found} == AUDIT
    assert exports.stored() == []
    assert fleet.runtime.instances == {}
    assert not any([await database.vault.has_key(owner) for owner in (tenant, *persons)])
    assert (await erasures.look(receipt)).step == ErasureStep.DONE


async def test_nothing_of_another_tenant_is_touched(erasures: Erasures, exports: Exports, database: Database) -> None:
    other = await erasures.lived_in()
    tenant = await erasures.lived_in(and_in=other)
    persons = await erasures.members(other)
    before = await erasures.traces(other, persons)

    await erasures.erased(tenant)

    after = await erasures.traces(other, persons)
    assert after == {
        name: [row for row in found if name != "memberships" or str(tenant) not in row]
        for name, found in before.items()
    }
    assert await exports.files.count(other) == 1
    assert all([await database.vault.has_key(owner) for owner in (other, *persons)])
    assert "streng vertraulich" in (await exports.content(other)).text("conversations/openai-chat.json")


async def test_a_person_of_a_second_tenant_stays_and_one_of_only_this_tenant_goes(
    erasures: Erasures, database: Database
) -> None:
    other = await erasures.lived_in()
    tenant = await erasures.lived_in(and_in=other)
    mine, others = set(await erasures.members(tenant)), set(await erasures.members(other))

    await erasures.erased(tenant)

    async with database.system_uow() as tx:
        left = set(await tx.scalars(select(Person.id).where(Person.id.in_(mine))))
    assert left == mine & others
    assert len(left) == 1
    assert {owner: await database.vault.has_key(owner) for owner in mine} == {owner: owner in left for owner in mine}


async def test_one_of_the_operators_staff_stays(erasures: Erasures, database: Database) -> None:
    tenant = await erasures.lived_in()
    owner = (await erasures.members(tenant))[0]
    async with database.system_uow() as tx:
        await tx.execute(update(Person).where(Person.id == owner).values(operator_role="support"))

    await erasures.erased(tenant)

    async with database.system_uow() as tx:
        assert await tx.get(Person, owner) is not None
    assert await database.vault.has_key(owner)


async def test_attempts_to_sign_up_with_an_erased_persons_address_go_with_their_keys(
    erasures: Erasures, database: Database
) -> None:
    tenant = await erasures.lived_in()
    owner = (await erasures.members(tenant))[0]
    attempt = await an_attempt(database, owner)

    await erasures.erased(tenant)

    async with database.system_uow() as tx:
        assert await tx.get(SignUp, attempt) is None
    assert not await database.vault.has_key(attempt)


async def test_the_proof_tells_what_was_measured_and_the_audit_log_still_verifies(
    erasures: Erasures, database: Database
) -> None:
    tenant = await erasures.lived_in()

    receipt = await erasures.erased(tenant)

    proof = (await erasures.look(receipt)).proof
    assert proof is not None
    left = proof["rows_left"]
    assert isinstance(left, dict)
    assert {"messages", "tenants", "persons", "usage_events", "gateway_keys", "sessions"} <= set(left)
    assert not any(left.values())
    assert (proof["files_left"], proof["instances_left"], proof["data_keys_left"]) == (0, 0, 0)
    async with database.system_uow() as tx:
        chain = await audit.verify(tx, tenant)
        of_tenant = select(audit.AuditEntry.action).where(audit.AuditEntry.tenant_id == tenant)
        acts = list(await tx.scalars(of_tenant.order_by(audit.AuditEntry.seq)))
    assert chain.is_intact
    assert proof["audit_is_intact"] is True
    assert acts[-1] == "tenant.erased"


async def test_keys_for_models_are_off_with_the_request_and_not_only_at_its_end(
    erasures: Erasures, fleet: Fleet
) -> None:
    tenant = await erasures.lived_in()
    instance = InstanceId((await fleet.instance(tenant)).id)
    assert len(await fleet.keys(instance)) == 1

    await erasures.ask(tenant)

    assert await fleet.keys(instance) == []


async def test_the_erasure_waits_until_the_runtime_shows_nothing_of_the_assistant(
    erasures: Erasures, fleet: Fleet, database: Database
) -> None:
    tenant = await erasures.lived_in()
    receipt = await erasures.ask(tenant)

    with pytest.raises(Unavailable):
        await erasures.eraser.advance(receipt.erasure)
    waiting = await erasures.look(receipt)
    has_key = await database.vault.has_key(tenant)
    await fleet.reconcile()
    await erasures.eraser.advance(receipt.erasure)

    assert (waiting.step, has_key) == (ErasureStep.INSTANCE, True)
    assert (await erasures.look(receipt)).step == ErasureStep.DONE


async def test_a_company_that_never_had_an_assistant_is_erased(erasures: Erasures, fleet: Fleet) -> None:
    tenant = await fleet.company()

    receipt = await erasures.erased(tenant)

    assert (await erasures.look(receipt)).step == ErasureStep.DONE


async def test_a_second_request_gives_the_same_receipt(erasures: Erasures, fleet: Fleet) -> None:
    tenant = await fleet.company()

    first, second = await erasures.ask(tenant), await erasures.ask(tenant)

    assert first == second
    assert len(first.token) == 43


async def test_the_companys_name_confirms_and_nothing_else_does(fleet: Fleet, database: Database) -> None:
    tenant = await fleet.company()

    async def confirmed_by(name: str) -> None:
        async with database.uow(tenant) as tx:
            await request_erasure(tx, tenant, OWNER, fleet.gateway, confirm=name)

    for wrong in ("", "Müller", "müller & söhne gmbh"):
        with pytest.raises(DomainError) as refusal:
            await confirmed_by(wrong)
        assert refusal.value.code == "erasure.not_confirmed"
    await confirmed_by("  Mu\u0308ller  & Söhne GmbH ")


async def test_only_the_receipts_token_opens_it(erasures: Erasures, fleet: Fleet, database: Database) -> None:
    receipt, other = await erasures.ask(await fleet.company()), await erasures.ask(await fleet.company())

    for token in ("", other.token, receipt.token[:-1], "ä" * 43):
        async with database.system_uow() as tx:
            with pytest.raises(NotFound):
                await progress_of(tx, receipt.erasure, token)
    assert (await erasures.look(receipt)).erasure == receipt.erasure


async def test_an_erasure_that_is_killed_at_any_await_is_completed_by_the_next_worker(erasures: Erasures) -> None:
    life, suspensions = Life(0), 0
    while suspensions == 0 or life.is_over:
        tenant = await erasures.lived_in()
        persons = await erasures.members(tenant)
        receipt = await erasures.ask(tenant)
        life = Life(suspensions)
        await life.of(erasures.work(receipt.erasure))
        erasures.clock.advance(timedelta(minutes=5))
        await erasures.work(receipt.erasure)
        assert (await erasures.look(receipt)).step == ErasureStep.DONE
        after = await erasures.traces(tenant, persons)
        assert {name for name, found in after.items() if found} == AUDIT
        suspensions += 13

    assert suspensions > 100
    assert erasures.exports.stored() == []


class WrittenMeanwhile(RecordedUsage):
    """Usage whose erasure takes its time: somebody says something to the assistant just then."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports
        self.said: asyncio.Task[UUID] | None = None

    async def erase(self, tx: Tx, tenant: TenantId) -> None:
        self.said = asyncio.create_task(self._exports.say(tenant, (Speaker.USER, "zu spät")))
        await asyncio.wait({self.said}, timeout=0.1)
        await super().erase(tx, tenant)


async def test_who_writes_while_the_rows_are_deleted_fails_and_leaves_nothing(
    erasures: Erasures, exports: Exports
) -> None:
    tenant = await erasures.lived_in()
    receipt = await erasures.ask(tenant)
    usage = WrittenMeanwhile(exports)
    await erasures.fleet.reconcile()

    await erasures.with_usage(usage).advance(receipt.erasure)

    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert usage.said is not None
    with pytest.raises(IntegrityError):
        await usage.said


async def test_a_verification_that_finds_something_begins_anew(
    erasures: Erasures, exports: Exports, fleet: Fleet, database: Database
) -> None:
    tenant = await erasures.lived_in()
    receipt = await erasures.ask(tenant)
    late = exports.store / str(tenant) / "exports" / "late.zip"
    written = []

    async def somebody_stores_a_file_during_the_verification(act: str) -> None:
        if act == "observe" and not written and not await database.vault.has_key(tenant):
            written.append(late)
            late.parent.mkdir(parents=True)
            late.write_bytes(b"late")

    fleet.runtime.hook = somebody_stores_a_file_during_the_verification
    await fleet.reconcile()
    with pytest.raises(Unavailable):
        await erasures.eraser.advance(receipt.erasure)
    between = await erasures.look(receipt)
    await erasures.eraser.advance(receipt.erasure)

    assert (between.step, between.proof) == (ErasureStep.INSTANCE, None)
    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert written
    assert exports.stored() == []


async def test_the_job_and_the_schedule_carry_an_erasure_to_its_end(
    erasures: Erasures, fleet: Fleet, database: Database
) -> None:
    tenant = await fleet.company()
    receipt = await erasures.ask(tenant)

    await Worker(database, Work({ADVANCE_JOB: erasures.eraser})).drain()

    assert (await erasures.look(receipt)).step == ErasureStep.DONE
    assert await advance_due(database) == 0


async def test_an_erasure_whose_job_was_lost_is_taken_up_by_the_schedule(
    erasures: Erasures, fleet: Fleet, database: Database
) -> None:
    tenant = await fleet.company()
    receipt = await erasures.ask(tenant)
    lost: list[Job] = []

    async def lose(job: Job) -> None:
        lost.append(job)

    await Worker(database, Work({ADVANCE_JOB: lose})).drain()
    assert await advance_due(database) == 1
    assert await advance_due(database) == 0
    await advance_at_once(database, tenant)
    await Worker(database, Work({ADVANCE_JOB: erasures.eraser})).drain()

    assert len(lost) == 1
    assert (await erasures.look(receipt)).step == ErasureStep.DONE


async def test_the_receipt_of_an_erasure_is_the_same_after_a_restart(erasures: Erasures, database: Database) -> None:
    tenant = await erasures.fleet.company()

    receipt = await erasures.ask(tenant)

    assert receipt_of(database.vault, receipt.erasure) == receipt
    assert receipt.token not in repr(receipt)


async def an_attempt(database: Database, person: PersonId) -> PersonId:
    """Somebody tried to sign up with the person's address."""
    attempt = PersonId(new_id())
    await database.vault.create_key(attempt)
    async with database.system_uow() as tx:
        tx.add(
            SignUp(
                id=attempt,
                email_index=(await tx.get_one(Person, person)).email_index,
                email=await tx.vault.seal(attempt, f"sign_ups.email:{attempt}", "ada@example.org"),
                password_hash="-",
                language="de",
                token_hash=attempt.bytes,
                created_at=tx.now,
                expires_at=tx.now,
            )
        )
    return attempt
