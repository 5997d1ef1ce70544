"""Telling a company's owners and whoever pays that a share of their AI budget is used up."""

from kontor.core import mail
from kontor.core.db import Database
from kontor.core.errors import NotFound
from kontor.core.i18n import DEFAULT, Lang, as_lang
from kontor.core.ids import TenantId
from kontor.core.mail import Button, Letter
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.people import addresses
from kontor.tenants.people.members import people_with
from kontor.tenants.people.model import Role
from kontor.tenants.people.sign_up import Links


async def notify_of_budget(
    database: Database, links: Links, tenant: TenantId, percent: int, period: str, *, is_cap: bool
) -> None:
    """One mail for each owner and billing member, in their languages. A tenant that is gone is told nothing.

    `period` is `day`, `month`, or `total` for a pilot's.
    """
    async with database.uow(tenant) as tx:
        try:
            row = await tenant_of(tx, tenant)
        except NotFound:
            return
        company = (await profile_of(tx.vault, row)).legal_name
        for person in await people_with(tx, tenant, Role.OWNER, Role.BILLING):
            lang = as_lang(person.language) or DEFAULT
            await mail.send(
                tx,
                owner=person.id,
                to=await addresses.email_of(tx, person),
                template="budget_reached",
                lang=lang,
                letter=budget_reached(lang, company, percent, links.usage(), period=period, is_cap=is_cap),
            )


def budget_reached(lang: Lang, company: str, percent: int, url: str, *, period: str, is_cap: bool) -> Letter:
    """What is used up, and what follows from it."""
    if lang == "de":
        of = {"total": "der Pilotphase", "day": "dieses Tages"}.get(period, "dieses Monats")
        if percent < 100:  # noqa: PLR2004 - the whole
            then = "Sie müssen nichts tun; die Nutzung nach Tag und Modell steht im Portal."
        elif is_cap:
            until = "bis morgen, oder bis die Obergrenze" if period == "day" else "bis das Budget"
            then = f"Der Assistent antwortet deshalb nur noch mit einem Hinweis, {until} erhöht wird."
        else:
            then = "Der Assistent antwortet weiter; was darüber hinausgeht, wird nach Ihrem Vertrag berechnet."
        return Letter(
            f"{percent} % des KI-Budgets von {company} sind verbraucht",
            ("Guten Tag,", f"vom KI-Budget {of} sind {percent} % verbraucht. {then}"),
            Button("Nutzung ansehen", url),
        )
    of = {"total": "of the pilot", "day": "of this day"}.get(period, "of this month")
    if percent < 100:  # noqa: PLR2004
        then = "There is nothing to do; usage by day and model is in the portal."
    elif is_cap:
        until = "until tomorrow, or until the cap" if period == "day" else "until the budget"
        then = f"So the assistant only answers with a notice {until} is raised."
    else:
        then = "The assistant goes on answering; what goes beyond it is charged as your contract says."
    return Letter(
        f"{percent} % of the AI budget of {company} are used up",
        ("Hello,", f"{percent} % of the AI budget {of} are used up. {then}"),
        Button("See usage", url),
    )
