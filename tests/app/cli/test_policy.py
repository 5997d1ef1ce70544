"""What the acceptable-use policy refused, by the command line."""

from kontor.billing.metering.model import PolicyHits
from kontor.core.clock import SystemClock, day_of
from kontor.core.db import Database
from kontor.core.ids import PREFIXES, encode
from support.commands import Commands
from support.tenants import a_tenant


async def test_hits_are_listed_by_tenant_and_category(kontor: Commands, database: Database) -> None:
    tenant = await a_tenant(database, active=True)
    empty = await kontor.run("policy", "hits")
    async with database.system_uow() as tx:
        tx.add(PolicyHits(tenant_id=tenant, day=day_of(SystemClock().now()), category="weapons", hits=4))

    listed = (await kontor.run("policy", "hits", "--json", "--days", "2")).json
    one = await kontor.run("policy", "hits", "--days", "2", "--tenant", encode(PREFIXES["tenant"], tenant))
    nobody = await kontor.run("policy", "hits", "--tenant", "nobody")

    assert "Nothing was refused" in empty.out
    assert [(row["tenant"], row["category"], row["hits"]) for row in listed] == [
        (encode(PREFIXES["tenant"], tenant), "weapons", 4)
    ]
    assert "weapons" in one.out
    assert nobody.refusal is not None
