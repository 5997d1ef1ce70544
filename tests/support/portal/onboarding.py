"""Samples of the pages from a new account to an assistant."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from kontor.app.portal.frame import Choice, Frame
from kontor.app.portal.render import View
from kontor.app.portal.views import onboarding
from kontor.billing.plans import load
from kontor.core.i18n import Lang, Text
from kontor.core.money import Money
from support.portal.frames import WRONG, choices, documents, member

STEPS = tuple(
    onboarding.PreparationStep(Text(de=de, en=en), state, took)
    for de, en, state, took in (
        ("Verträge geschlossen", "Contracts accepted", "done", None),
        ("Instanz zugeteilt", "Instance assigned", "done", Decimal("0.4")),
        ("Einrichtung geschrieben", "Configuration written", "active", None),
        ("Assistent antwortet", "Assistant answers", "todo", None),
    )
)


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    f = member(lang)
    prices = load()
    quote = onboarding.Quote("Professional", 48, Money(9900), Money(475_200), onboarding.Better(50, Money(445_500)))
    pilot = onboarding.Quote("Pilot", 5, None, None, None, 4, Money(2500))
    form = onboarding.CompanyForm(
        choices(("DE", "Deutschland", "Germany"), ("AT", "Österreich", "Austria"), ("CH", "Schweiz", "Switzerland")),
        choices(("crafts", "Handwerk", "Crafts"), ("legal", "Rechtsanwaltskanzlei, Notariat", "Law firm, notary")),
        tuple(
            Choice(
                value,
                Text(de=de, en=en),
                Text(de=f"Inhalte werden nur hier verarbeitet: {de}.", en=f"Content is processed here only: {en}."),
            )
            for value, de, en in (
                ("de", "Nur Deutschland", "Germany only"),
                ("eu", "Europäische Union", "European Union"),
                ("world", "Weltweit", "Worldwide"),
            )
        ),
        prices,
        pilot,
    )
    papers = documents(accepted=False)
    yield "onboarding-company", form, f
    yield "onboarding-company-wrong", replace(form, form=WRONG, quote=quote), f
    yield "onboarding-quote", quote, f
    yield "onboarding-contracts", onboarding.ContractsPage("Tischlerei Brandt GmbH", papers), f
    yield "onboarding-contracts-wrong", onboarding.ContractsPage("Tischlerei Brandt GmbH", papers, WRONG), f
    yield (
        "onboarding-document",
        onboarding.DocumentPage(papers[1], "Tischlerei Brandt GmbH", "/onboarding/contracts"),
        f,
    )
    yield "onboarding-waiting", onboarding.Preparation("waiting", STEPS, "Holzwurm"), f
    yield "onboarding-part", onboarding.PreparationPart("waiting", STEPS, "Holzwurm"), f
    done = tuple(replace(step, state="done", took_s=Decimal("1.2")) for step in STEPS)
    yield "onboarding-ready", onboarding.Preparation("ready", done, "Holzwurm"), f
    yield (
        "onboarding-failed",
        onboarding.Preparation(
            "failed",
            (*STEPS[:2], replace(STEPS[2], state="failed")),
            "Holzwurm",
            "Der Port ist belegt. Wir wurden benachrichtigt.",
        ),
        f,
    )
