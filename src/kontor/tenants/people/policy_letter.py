"""Telling the operator's staff that a tenant's requests are refused often by the acceptable-use policy."""

from collections.abc import Sequence

import structlog
from sqlalchemy import select

from kontor.core import mail
from kontor.core.db import Tx
from kontor.core.errors import NotFound
from kontor.core.i18n import DEFAULT, Lang, Text, as_lang
from kontor.core.ids import PREFIXES, TenantId, encode
from kontor.core.mail import Button, Letter
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import addresses
from kontor.tenants.people.model import OperatorRole, Person
from kontor.tenants.people.sign_up import Links

log = structlog.get_logger(__name__)


async def tell_operators(tx: Tx, links: Links, tenant: TenantId, hits: Sequence[tuple[Text, int]], days: int) -> int:
    """One mail for each of the staff who may act, in their languages; how many. Needs a system unit of work.

    `hits` are the names of categories with their counts in the last `days` days. A tenant that is gone is left alone.
    """
    try:
        slug = (await tenant_of(tx, tenant)).slug
    except NotFound:
        return 0
    url = links.operator_tenant(encode(PREFIXES["tenant"], tenant))
    staff = (await tx.scalars(select(Person).where(Person.operator_role == OperatorRole.OPERATOR))).all()
    for person in staff:
        lang = as_lang(person.language) or DEFAULT
        await mail.send(
            tx,
            owner=person.id,
            to=await addresses.email_of(tx, person),
            template="policy_hits",
            lang=lang,
            letter=policy_hits(lang, slug, hits, days, url),
        )
    if not staff:
        log.warning("policy.nobody_to_tell", tenant=str(tenant))
    return len(staff)


def policy_hits(lang: Lang, slug: str, hits: Sequence[tuple[Text, int]], days: int, url: str) -> Letter:
    """Whose, how many of what, and what to do about it."""
    total = sum(count for _, count in hits)
    listed = ", ".join(f"{name(lang)}: {count}" for name, count in hits)
    if lang == "de":
        what = (
            f"in den letzten {days} Tagen wurden {total} Anfragen von {slug} abgelehnt, bevor sie ein Modell "
            f"erreichten. {listed}."
        )
        then = (
            "Die Regeln irren sich, und den Wortlaut kennt nur der Kunde. Sprechen Sie mit ihm, bevor "
            f"Sie ihn aussetzen. Über diesen Kunden schreiben wir Ihnen frühestens in {days} Tagen wieder."
        )
        return Letter(
            f"{slug}: {total} Anfragen wegen der Nutzungsregeln abgelehnt",
            ("Guten Tag,", what, then),
            Button("Mandanten ansehen", url),
        )
    what = f"in the last {days} days {total} requests of {slug} were refused before they reached a model. {listed}."
    then = (
        "The rules err, and only the customer knows the words. Talk to it before you suspend it. "
        f"We write to you about this customer again in {days} days at the earliest."
    )
    return Letter(
        f"{slug}: {total} requests refused by the acceptable-use policy",
        ("Hello,", what, then),
        Button("See the tenant", url),
    )
