"""Who looks at the samples, and what several of them show."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from kontor.app.portal.frame import Choice, Form, Frame, Membership, Person
from kontor.app.portal.views import company, onboarding
from kontor.core.clock import Month
from kontor.core.i18n import Lang, Text
from kontor.tenants.people.model import OperatorRole, Role

AT = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
NOVEMBER = Month(2026, 11)
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TENANT = "tnt_01h455vb4pex5vsknk084sn02q"
WRONG = Form(
    {"email": "kein-at", "legal_name": "Tischlerei Brandt GmbH", "plan": "professional", "residency": "de"},
    {
        "email": "Das ist keine E-Mail-Adresse.",
        "postcode": "Bitte füllen Sie dieses Feld aus.",
        "is_business": "Wir schließen Verträge nur mit Unternehmen.",
        "name": "Der Name stimmt nicht überein.",
        "accept.avv": "Ohne diese Annahme geht es nicht weiter.",
    },
    "Bitte prüfen Sie die markierten Felder.",
)


def visitor(lang: Lang = "de") -> Frame:
    """Nobody is logged in."""
    return Frame(lang=lang, path="/", seller="NextGen IT Solutions GmbH")


def member(
    lang: Lang = "de", section: str = "", role: Role = Role.OWNER, name: str = "Tischlerei Brandt GmbH"
) -> Frame:
    """Somebody works in a company."""
    here = Membership(TENANT, name, role)
    other = Membership("tnt_01h455vb4pex5vsknk084sn02r", "Praxis Dr. Öztürk", Role.VIEWER)
    return replace(
        visitor(lang),
        section=section,
        person=Person("katrin.brandt@tischlerei-brandt.example"),
        current=here,
        memberships=(here, other),
        waiting=2,
    )


def operator(lang: Lang = "de", section: str = "tenants") -> Frame:
    """The operator's staff."""
    return replace(visitor(lang), section=section, person=Person("ops@kontor.example"), operator=OperatorRole.OPERATOR)


def choices(*pairs: tuple[str, str, str]) -> tuple[Choice, ...]:
    return tuple(Choice(value, Text(de=de, en=en)) for value, de, en in pairs)


def documents(*, accepted: bool) -> tuple[onboarding.DocumentView, ...]:
    clause = "<h2>1. Gegenstand</h2><p id='gegenstand'>1.1 Der Anbieter betreibt für den Kunden einen Assistenten.</p>"
    html = Markup("<h1>Vertrag</h1>" + clause * 3)  # noqa: S704 - the sample itself
    titles = {
        "terms": "Allgemeine Geschäftsbedingungen",
        "avv": "Vertrag zur Auftragsverarbeitung",
        "sla": "Service-Level-Vereinbarung",
        "aup": "Richtlinie zur zulässigen Nutzung",
    }
    lines = (
        "Deutsches Recht, Gerichtsstand Stuttgart.",
        "Kündigung mit drei Monaten zum Monatsende.",
        "Löschung binnen 30 Tagen mit Protokoll.",
    )
    return tuple(
        onboarding.DocumentView(
            kind,
            "2026-11",
            title,
            lines,
            html,
            SHA,
            must_accept=True,
            accepted_at=AT if accepted or kind == "terms" else None,
        )
        for kind, title in titles.items()
    )


AUDIT = tuple(
    company.AuditRow(
        41 - n, AT - timedelta(minutes=n * 17), "Katrin Brandt", action, "key_01h455vb4pex5vsknk084sn02q", SHA
    )
    for n, action in enumerate(("api_key.created", "assistant.edited", "member.invited"))
)
