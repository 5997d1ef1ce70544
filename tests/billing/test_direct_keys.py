"""A tenant's keys for its own programs: made, listed with what they spent, expired, revoked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from kontor.billing.errors import KeyExpiryPast
from kontor.billing.metering import direct_keys
from kontor.billing.metering.budgets.limits import Caps
from kontor.billing.metering.direct_keys import DirectKey, NewKey, Rules
from kontor.billing.metering.journal import Journal
from kontor.billing.metering.keys import Key
from kontor.billing.metering.link import Link
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.billing.metering.record import Call
from kontor.billing.metering.recorder import Recorder
from kontor.billing.metering.usage import Outcome, Tokens
from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.ids import GatewayKeyId, TenantId, UsageEventId, new_id

EURO = 1_000_000_000
ADA = Actor("person", "prs_ada")
RULES = Rules("en", "de", "legal")
WANTED = NewKey("Website – Angebote", None, Caps(20 * EURO, None))


@pytest.fixture
async def tenant(database: Database) -> TenantId:
    """Somebody with a data key."""
    made = TenantId(new_id())
    await database.vault.create_key(made)
    return made


async def made(database: Database, tenant: TenantId, wanted: NewKey = WANTED) -> tuple[DirectKey, str]:
    async with database.uow(tenant) as tx:
        return await direct_keys.create(tx, tenant, wanted, RULES, ADA)


async def listed(database: Database, tenant: TenantId) -> list[DirectKey]:
    async with database.uow(tenant) as tx:
        return await direct_keys.list_all(tx, tenant, after=None, limit=50)


async def test_a_key_is_listed_with_its_name_and_budget_and_its_secret_is_nowhere(
    database: Database, tenant: TenantId
) -> None:
    key, secret = await made(database, tenant, replace(WANTED, caps=Caps(20 * EURO, 2 * EURO)))

    [shown] = await listed(database, tenant)

    assert shown == key
    assert (shown.name, shown.last_used_at, shown.revoked_at) == ("Website – Angebote", None, None)
    assert secret.startswith(shown.hint)
    assert len(shown.hint) < 12
    assert shown.month.cap_nano == 20 * EURO
    assert shown.day is not None
    assert shown.day.cap_nano == 2 * EURO
    async with database.system_uow() as tx:
        row = (await tx.execute(text("SELECT * FROM gateway_keys"))).one()._asdict()
    assert "Angebote" not in str(row)
    assert secret not in str(row)
    assert (row["language"], row["residency"], row["pack"]) == ("en", "de", "legal")


async def test_an_expiry_lies_in_the_future(database: Database, tenant: TenantId) -> None:
    now = database.clock.now()

    with pytest.raises(KeyExpiryPast):
        await made(database, tenant, replace(WANTED, expires_at=now))
    key, _ = await made(database, tenant, replace(WANTED, expires_at=now + timedelta(days=1)))

    assert [one.id for one in await listed(database, tenant)] == [key.id]


def test_an_expired_key_is_not_good() -> None:
    key = Key(GatewayKeyId(new_id()), "direct", None, None, "active", "de", is_revoked=False)
    now = datetime.now(UTC)

    assert key.is_good()
    assert replace(key, expires_at=now + timedelta(hours=1)).is_good()
    assert not replace(key, expires_at=now).is_good()
    assert not replace(key, is_revoked=True).is_good()


async def test_a_key_is_revoked_once_and_stays_in_the_list(database: Database, tenant: TenantId) -> None:
    key, _ = await made(database, tenant)
    for _ in range(2):
        async with database.uow(tenant) as tx:
            await direct_keys.revoke(tx, tenant, key.id, ADA)

    [shown] = await listed(database, tenant)

    assert shown.revoked_at is not None
    async with database.uow(tenant) as tx:
        acts = await tx.scalars(text("SELECT action FROM audit_entries ORDER BY seq"))
        assert acts.all() == ["gateway_key.created", "gateway_key.revoked"]


async def test_another_tenants_key_is_neither_listed_nor_revoked(database: Database, tenant: TenantId) -> None:
    key, _ = await made(database, tenant)
    other = TenantId(new_id())

    for whose in (tenant, other):
        async with database.uow(other) as tx:
            with pytest.raises(NotFound):
                await direct_keys.revoke(tx, whose, key.id, ADA)
    assert await listed(database, other) == []
    assert (await listed(database, tenant))[0].revoked_at is None


async def test_an_instances_key_is_none_of_them(database: Database, tenant: TenantId) -> None:
    instance_key = new_id()
    async with database.system_uow() as tx:
        await tx.execute(
            text(
                "INSERT INTO gateway_keys (id, key_hash, kind, instance_id, tenant_id, created_at) "
                "VALUES (:id, 'x', 'instance', :id, :tenant, now())"
            ),
            {"id": instance_key, "tenant": tenant},
        )

    async with database.uow(tenant) as tx:
        with pytest.raises(NotFound):
            await direct_keys.revoke(tx, tenant, GatewayKeyId(instance_key), ADA)
    assert await listed(database, tenant) == []


async def test_what_a_key_has_spent_and_when_it_was_used_is_known(
    database: Database, tenant: TenantId, tmp_path: Path
) -> None:
    async with database.system_uow() as tx:
        await load_shipped_prices(tx)
    used, _ = await made(database, tenant)
    await made(database, tenant, replace(WANTED, name="unused", caps=Caps(None, None)))
    journal, link = Journal(tmp_path / "journal"), Link(database.urls.gateway)
    at = database.clock.now()

    async def call(when: datetime) -> None:
        one = Call(UsageEventId(new_id(when)), tenant, None, used.id, "assistant", "kontor-demo", "builtin", Tokens())
        journal.close(journal.open(one), one.ended(Tokens(output=1_000_000), Outcome.ANSWERED, 12, 3))
        await Recorder(journal, link).flush()

    seen = []
    for seconds in (0, 30, 90, 60):  # within a minute nothing is written, and never an earlier instant
        await call(at + timedelta(seconds=seconds))
        seen.append((await listed(database, tenant))[1].last_used_at)
    unused, shown = await listed(database, tenant)

    journal.end()
    await link.close()
    assert seen == [at, at, at + timedelta(seconds=90), at + timedelta(seconds=90)]
    assert shown.month.spent_nano == 4 * 600 * 1_000_000
    assert (unused.name, unused.month.spent_nano, unused.last_used_at) == ("unused", 0, None)
