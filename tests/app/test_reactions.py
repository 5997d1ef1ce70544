"""What follows when something has happened, from the request that changes it to the row that another domain keeps."""

from sqlalchemy import text

from kontor.app.reactions import reactions
from kontor.billing.metering import gateway_keys
from kontor.core.events import handlers, subscribers
from kontor.core.ids import InstanceId, TenantId, decode, new_id
from kontor.core.jobs import Work, Worker
from support.web import Web


async def test_a_company_that_changes_its_language_is_refused_in_the_new_one(web: Web) -> None:
    database, of = web.container.database, reactions(web.container)
    database.subscribe(subscribers(of))
    instance, other = InstanceId(new_id()), InstanceId(new_id())
    async with web.client() as ada:
        company = await web.active(ada, "ada@example.org")
        async with database.system_uow() as tx:
            await gateway_keys.issue_key(tx, instance)
            await web.container.keys.bind(tx, instance, TenantId(decode("tnt", str(company["id"]))))
            await gateway_keys.issue_key(tx, other)
            await gateway_keys.bind_key(tx, other, TenantId(new_id()))
        seen = (await ada.get("/api/v1/tenant")).headers["etag"]

        changed = await ada.patch("/api/v1/tenant", json={"language": "en"}, headers={"if-match": seen})

    assert changed.status_code == 200, changed.text
    await Worker(database, Work(handlers(of))).drain()
    async with database.system_uow() as tx:
        rows = (await tx.execute(text("SELECT instance_id, language FROM gateway_keys"))).all()
    assert dict(rows) == {instance: "en", other: "de"}
