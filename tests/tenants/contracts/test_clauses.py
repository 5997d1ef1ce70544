"""Every clause of the product page's list ("Contracts") is exactly one paragraph, in both languages."""

import re

import pytest

from kontor.core.i18n import LANGS, Lang
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.contracts.render import RenderedDocument, render
from kontor.tenants.contracts.required import document_ref
from support.contracting import contract_facts, customer

CLAUSES: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("terms", "aup-reference"): (
        ("Richtlinie zur zulässigen Nutzung", "ohne Rückerstattung"),
        ("acceptable use policy", "without refund"),
    ),
    ("terms", "no-professional-advice"): (
        ("keine Rechts-, Medizin- oder Finanzberatung",),
        ("no legal, medical or financial advice",),
    ),
    ("terms", "liability-cap"): (
        (
            "12 Monaten",
            "Vorsatz",
            "grober Fahrlässigkeit",
            "Leben, Körper oder Gesundheit",
            "Produkthaftungsgesetz",
            "Vertragsstrafen",
            "neben",
        ),
        ("12 months", "intent", "gross negligence", "life, body or health", "Product Liability", "penalties", "beside"),
    ),
    ("terms", "price-adjustment"): (
        ("5 %", "20 %", "3 Monate vorher", "kündigen"),
        ("5 %", "20 %", "3 months ahead", "cancel"),
    ),
    ("terms", "erasure"): (("30 Tagen", "Löschprotokoll"), ("30 days", "protocol")),
    ("terms", "law-and-venue"): (("deutsches Recht", "Stuttgart"), ("German law", "Stuttgart")),
    ("terms", "notice-and-export"): (
        ("3 Monaten zum Ende eines Kalendermonats", "Jahresvertrag zum Ende", "30 Tage", "exportieren"),
        ("3 months' notice to the end of a calendar month", "annual term to the end", "30 days", "export"),
    ),
    ("terms", "data-act-switching"): (
        ("Art. 25", "2 Monaten", "bis zu 30 Tagen", "kein Wechselentgelt", "erstattet nichts", "vor Vertragsschluss"),
        ("Art. 25", "2 months' notice", "up to 30 days", "no switching fee", "refunds nothing", "before signing"),
    ),
    ("terms", "pilot-end"): (("sofortiger Wirkung", "keine Kosten"), ("at once", "no cost")),
    ("terms", "termination-for-cause"): (("6 Monaten",), ("6 months",)),
    ("terms", "provider-outages"): (
        ("Modellanbieter", "jedes zulässige Modell"),
        ("model provider", "every permitted model"),
    ),
    ("terms", "model-change"): (
        ("abkündigt", "besseres", "30 %", "30 Tage"),
        ("deprecates", "better", "30 %", "30 days"),
    ),
    ("terms", "open-source-continuity"): (("OpenClaw", "unabhängig"), ("OpenClaw", "whatever happens")),
    ("terms", "ai-disclosure"): (("Art. 50", "2024/1689"), ("Art. 50", "2024/1689")),
    ("terms", "human-route"): (("MENSCH", "HUMAN"), ("MENSCH", "HUMAN")),
    ("terms", "retention"): (("30, 60 oder 90",), ("30, 60 or 90",)),
    ("avv", "subject"): (("Gegenstand",), ("subject",)),
    ("avv", "duration"): (("dauert",), ("lasts",)),
    ("avv", "nature"): (("Art der Verarbeitung",), ("Nature of the processing",)),
    ("avv", "purpose"): (("Fragen der Kundschaft",), ("Fragen der Kundschaft",)),
    ("avv", "data-categories"): (("Kategorien von Daten",), ("Categories of data",)),
    ("avv", "data-subjects"): (("betroffener Personen",), ("data subjects",)),
    ("avv", "instructions-bind"): (
        ("binden den Anbieter", "dokumentierte Weisung"),
        ("bind the Provider", "documented instructions"),
    ),
    ("avv", "unlawful-instruction"): (("rechtswidrig",), ("unlawful",)),
    ("avv", "staff-confidentiality"): (("Vertraulichkeit",), ("confidentiality",)),
    ("avv", "security-measures"): (("Art. 32", "Anlage 1"), ("Art. 32", "Annex 1")),
    ("avv", "data-subject-rights"): (("Anträge",), ("requests",)),
    ("avv", "assistance"): (("Art. 32 bis 36",), ("Art. 32 to 36",)),
    ("avv", "breach-notice"): (("24 Stunden",), ("24 hours",)),
    ("avv", "sub-processors"): (
        ("veröffentlicht", "30 Tage vorher", "Widerspruch"),
        ("published", "30 days ahead", "objection"),
    ),
    ("avv", "international-transfers"): (("Drittland", "Art. 44"), ("third country", "Art. 44")),
    ("avv", "return-and-erasure"): (("30 Tage", "Löschprotokoll"), ("30 days", "protocol")),
    ("avv", "evidence"): (("Nachweis",), ("demonstrate",)),
    ("avv", "yearly-audit"): (
        ("einmal im Jahr", "4 Wochen", "Wettbewerb", "ablehnen"),
        ("once a year", "4 weeks", "competitors", "refuse"),
    ),
    ("avv", "retention-choice"): (("30, 60 oder 90",), ("30, 60 or 90",)),
    ("avv", "toms-access"): (("Argon2id", "TOTP"), ("Argon2id", "TOTP")),
    ("avv", "toms-separation"): (("Row-Level Security",), ("row-level security",)),
    ("sla", "availability-defined"): (("Verfügbarkeit = 1 −", "Ausfallzeit"), ("availability = 1 −", "downtime")),
    ("sla", "maintenance-defined"): (
        ("72 Stunden", "02:00 und 06:00", "4 Stunden"),
        ("72 hours", "02:00 and 06:00", "4 hours"),
    ),
    ("sla", "force-majeure-defined"): (("Höhere Gewalt",), ("Force majeure",)),
    ("sla", "availability-target"): (("99,5 %",), ("99.5 %",)),
    ("sla", "p1-reaction"): (("8 Stunden",), ("8 hours",)),
    ("sla", "recovery-targets"): (("2 Stunden", "6 Stunden", "RTO", "RPO"), ("2 hours", "6 hours", "RTO", "RPO")),
    ("sla", "exclusions"): (
        ("Wartung", "Ruhezeiten", "jeder zulässige Modellanbieter"),
        ("maintenance", "sleep", "every permitted model provider"),
    ),
    ("sla", "credit-availability"): (("je angefangene 0,1", "5 %"), ("0.1 percentage point", "5 %")),
    ("sla", "credit-p1-reaction"): (("10 %",), ("10 %",)),
    ("sla", "credits-yearly-cap"): (("höchstens die Gebühren",), ("at most the fees",)),
    ("sla", "penalty-breach-notice"): (("15.000 EUR", "24 Stunden"), ("EUR 15,000", "24 hours")),
    ("sla", "credits-beside-liability"): (("neben der Haftung",), ("beside liability",)),
    ("aup", "prohibited-weapons"): (("Waffen",), ("weapons",)),
    ("aup", "prohibited-illegal-content"): (("Missbrauchs von Kindern",), ("abuse of children",)),
    ("aup", "prohibited-election-manipulation"): (("Wahlen",), ("elections",)),
    ("aup", "prohibited-spam-fraud"): (("Phishing",), ("phishing",)),
    ("aup", "prohibited-posing-as-professional"): (
        ("Rechts-, Medizin- oder Finanzberatung",),
        ("legal, medical or financial advice",),
    ),
    ("aup", "prohibited-mass-surveillance"): (("Einwilligung",), ("consent",)),
    ("aup", "prohibited-autonomous-decisions"): (("entscheiden",), ("decide",)),
    ("aup", "aup-termination"): (("sofort", "ohne Rückerstattung"), ("immediately", "without refund")),
}


def document(kind: str, lang: Lang) -> RenderedDocument:
    country = {"ch_avv": "CH", "at_clause": "AT"}.get(kind, "DE")
    version = packaged().kinds[kind].versions[-1]
    return render(document_ref(kind, version), lang, contract_facts(customer(country=country)))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(("kind", "anchor"), CLAUSES)
def test_a_clause_of_the_product_page_is_one_paragraph_with_its_decisive_words(
    kind: str, anchor: str, lang: Lang
) -> None:
    words = CLAUSES[kind, anchor][LANGS.index(lang)]

    rendered = document(kind, lang)

    assert [word for word in words if word not in rendered.clauses[anchor]] == []
    assert rendered.text.count(f"{{#{anchor}}}") == 1
    assert rendered.html.count(f'<p id="{anchor}">') == 1


@pytest.mark.parametrize("kind", packaged().kinds)
def test_both_languages_of_a_document_have_the_same_clauses_in_the_same_order_and_numbers(kind: str) -> None:
    german, english = document(kind, "de"), document(kind, "en")

    assert list(german.clauses) == list(english.clauses)
    assert [_number(text) for text in german.clauses.values()] == [_number(text) for text in english.clauses.values()]
    assert len(german.clauses) >= 3


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", packaged().kinds)
def test_a_document_opens_with_three_to_five_plain_sentences(kind: str, lang: Lang) -> None:
    rendered = document(kind, lang)

    assert 3 <= len(rendered.summary) <= 5
    assert all(sentence.endswith(".") and "{" not in sentence for sentence in rendered.summary)


def test_the_swiss_agreement_has_every_clause_of_the_german_one_in_words_of_swiss_law() -> None:
    german, swiss = document("avv", "de"), document("ch_avv", "de")

    assert list(swiss.clauses) == list(german.clauses)
    assert "Art. 9 Abs. 1 Bst. a DSG" in swiss.clauses["instructions-bind"]
    assert "EDÖB" in swiss.clauses["breach-notice"]
    assert "24 Stunden" in swiss.clauses["breach-notice"]


def test_no_two_documents_that_a_customer_gets_share_an_anchor() -> None:
    everywhere = [anchor for kind in packaged().kinds if kind != "ch_avv" for anchor in document(kind, "de").clauses]

    assert len(everywhere) == len(set(everywhere))


def test_a_reference_names_the_number_of_the_clause_that_it_means() -> None:
    clauses = document("terms", "de").clauses

    assert f"Ziffer {_number(clauses['liability-cap'])}" in clauses["provider-outages"]


def _number(clause: str) -> str:
    found = re.match(r"[A-Z]?\d+\.\d+(?= )", clause)
    assert found, clause
    return found[0]
