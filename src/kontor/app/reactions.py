"""The one page on which something that happened meets what is done about it."""

from kontor.app.container import Container
from kontor.core.events import Reactions
from kontor.tenants.talk.events import HumanRequested
from kontor.tenants.talk.notify import notify_members


def reactions(container: Container) -> Reactions:
    """For each event what follows. Each reaction re-reads the rows: events come in any order and twice."""
    database, links = container.database, container.links

    async def tell_members_that_a_human_is_wanted(event: HumanRequested) -> None:
        await notify_members(database, links, event)

    return {HumanRequested: [tell_members_that_a_human_is_wanted]}
