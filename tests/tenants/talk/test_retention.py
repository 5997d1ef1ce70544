"""Old conversations go after the tenant's own retention; the log tells it."""

from datetime import timedelta

from sqlalchemy import func, select

from kontor.core.audit import AuditEntry
from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.tenants.model import Tenant
from kontor.tenants.talk.model import Conversation, Message
from kontor.tenants.talk.retention import purge_all
from support.talking import Talk


async def test_a_conversation_goes_with_its_messages_when_nothing_was_said_for_the_tenants_days(
    talk: Talk, database: Database, clock: FixedClock
) -> None:
    async with database.uow(talk.tenant) as tx:
        (await tx.get_one(Tenant, talk.tenant)).retention_days = 30
    await talk.say("alt", user="a")
    await talk.say("alt", user="b")
    clock.advance(timedelta(days=20))
    young = await talk.say("jung", user="b")
    clock.advance(timedelta(days=11))

    await purge_all(database)
    await purge_all(database)

    async with database.uow(talk.tenant) as tx:
        left = list(await tx.scalars(select(Conversation.id)))
        messages = await tx.scalar(select(func.count()).select_from(Message))
        logged = [
            one.data for one in await tx.scalars(select(AuditEntry).where(AuditEntry.action == "conversations.purged"))
        ]
    assert left == [young.conversation]
    assert messages == 4
    assert [one["count"] for one in logged] == [1]
