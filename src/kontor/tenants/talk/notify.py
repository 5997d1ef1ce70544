"""Telling the tenant that somebody waits for a human."""

from kontor.core import mail
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.i18n import DEFAULT, Lang, as_lang
from kontor.core.ids import PREFIXES, encode
from kontor.core.mail import Button, Letter
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import addresses
from kontor.tenants.people.members import people_with
from kontor.tenants.people.model import Role
from kontor.tenants.people.sign_up import Links
from kontor.tenants.talk.conversation import read
from kontor.tenants.talk.events import HumanRequested
from kontor.tenants.talk.model import InCharge


async def notify_members(database: Database, links: Links, event: HumanRequested) -> None:
    """Owners and admins get one mail per handover, with a link and without a word of the conversation.

    A second call, or one after the conversation was handed back or erased, changes nothing.
    """
    async with database.uow(event.tenant) as tx:
        try:
            row = await read(tx, event.tenant, event.conversation, lock=True)
        except NotFound:
            return
        handed_over_at, told_at = row.handed_over_at, row.notified_at
        if row.state != InCharge.HUMAN or handed_over_at is None or (told_at and told_at >= handed_over_at):
            return
        row.notified_at = tx.now
        company = (await profile_of(tx.vault, await tenant_of(tx, event.tenant))).legal_name
        url = links.conversation(encode(PREFIXES["conversation"], event.conversation))
        for person in await people_with(tx, event.tenant, Role.OWNER, Role.ADMIN):
            lang = as_lang(person.language) or DEFAULT
            await mail.send(
                tx,
                owner=person.id,
                to=await addresses.email_of(tx, person),
                template="human_requested",
                lang=lang,
                letter=human_requested(lang, company, url),
            )


def human_requested(lang: Lang, company: str, url: str) -> Letter:
    """Somebody waits for an answer."""
    if lang == "de":
        return Letter(
            f"Jemand möchte mit einem Menschen bei {company} sprechen",
            (
                "Guten Tag,",
                (
                    "in einer Unterhaltung mit Ihrem Assistenten wurde MENSCH geschrieben. Der Assistent schweigt "
                    "dort, bis jemand von Ihnen geantwortet und die Unterhaltung zurückgegeben hat."
                ),
            ),
            Button("Unterhaltung öffnen", url),
        )
    return Letter(
        f"Somebody would like to talk to a person at {company}",
        (
            "Hello,",
            (
                "in a conversation with your assistant somebody wrote HUMAN. The assistant is silent there until one "
                "of you has answered and handed the conversation back."
            ),
        ),
        Button("Open the conversation", url),
    )
