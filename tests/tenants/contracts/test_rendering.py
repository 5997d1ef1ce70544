"""What is in a rendered document: the facts, all of them, and nothing left over."""

import re
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256

import pytest

from kontor.core.errors import Kind
from kontor.core.i18n import LANGS, Lang, Text
from kontor.core.money import Money
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.contracts.errors import MissingFact, UnknownChoice, UnknownDocument
from kontor.tenants.contracts.facts import Address, ContractFacts, Insurance, Pilot, TaxRegistration
from kontor.tenants.contracts.render import render, reopen
from kontor.tenants.contracts.required import DocumentRef, document_ref, required_documents
from support.contracting import ANNUAL, PILOT, PLANS, SELLER, contract_facts, customer, offers

LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|\{@|\bNone\b|\bTODO\b|Undefined|Decimal|\bTrue\b|\bFalse\b")


def ref(kind: str) -> DocumentRef:
    return document_ref(kind, packaged().kinds[kind].versions[-1])


def digests(facts: ContractFacts) -> dict[tuple[str, Lang], str]:
    who = facts.customer
    every = [
        *required_documents(who.address.country, who.industry, facts.plan.key),
        ref("insurance"),
    ]
    return {(one.kind, lang): render(one, lang, facts).sha256 for one in every for lang in LANGS}


@pytest.mark.parametrize("country", packaged().countries)
@pytest.mark.parametrize("industry", packaged().industries)
def test_every_document_of_every_customer_renders_without_leftovers(country: str, industry: str) -> None:
    for plan in offers():
        facts = contract_facts(customer(country=country, industry=industry), plan)
        for one in required_documents(country, industry, plan.key):
            for lang in LANGS:
                rendered = render(one, lang, facts)

                assert LEFT_OVER.search(rendered.text + " ".join(rendered.summary)) is None
                assert "Bäckerei Müller GmbH" in rendered.text


def test_the_digest_is_that_of_the_texts_bytes_and_stays_for_the_same_facts() -> None:
    first = render(ref("terms"), "de", contract_facts())

    second = render(ref("terms"), "de", contract_facts())

    assert first.sha256 == second.sha256 == sha256(first.text.encode()).hexdigest()


CHANGES = {
    "seller.legal_name": "Andere GmbH",
    "seller.brand": "Anderes",
    "seller.address": Address("Weg 9", "70174", "Stuttgart", "DE"),
    "seller.represented_by": "Jemand",
    "seller.register_entry": "HRB 1",
    "seller.email": "x@example.org",
    "seller.phone": "+49 1",
    "seller.dpo_name": "Jemand",
    "seller.dpo_email": "y@example.org",
    "seller.tax_registrations": (TaxRegistration("CH", "CHE-1"),),
    "seller.imprint_url": "https://example.org/i",
    "seller.sub_processors_url": "https://example.org/s",
    "seller.status_url": "https://example.org/st",
    "seller.jurisdiction": "Freiburg",
    "seller.insurance": Insurance("Andere", "C-1", Money(1), date(2028, 1, 1)),
    "customer.company": "Metzgerei Schäfer",
    "customer.address": Address("Hauptstraße 3", "10115", "Überlingen", "DE"),
    "customer.industry": "crafts",
    "customer.use_case": "Terminvergabe",
    "customer.residency": "world",
    "plan.name": "Anders",
    "plan.seats": 6,
    "plan.is_annual": True,
    "plan.price": Money(9901),
    "plan.ai_budget": Money(1201),
    "plan.overage_factor": Decimal("1.41"),
    "plan.availability_pct": Decimal("99.6"),
    "plan.p1_reaction_h": 9,
    "plan.rto_h": 3,
    "plan.rpo_h": 7,
    "plan.hibernates": True,
    "plan.pilot": Pilot(4, 1, Money(2500)),
}


@pytest.mark.parametrize("path", CHANGES)
def test_a_changed_fact_changes_what_is_accepted(path: str) -> None:
    facts = contract_facts()
    name, field = path.split(".")

    changed = replace(facts, **{name: replace(getattr(facts, name), **{field: CHANGES[path]})})

    assert digests(changed) != digests(facts)


def test_another_day_and_other_sub_processors_change_what_is_accepted_too() -> None:
    facts = contract_facts()

    assert digests(replace(facts, date=date(2026, 11, 23))) != digests(facts)
    assert digests(replace(facts, sub_processors=facts.sub_processors[:1])) != digests(facts)


def test_every_fact_has_its_change_above() -> None:
    facts = contract_facts()
    named = {
        f"{name}.{field.name}" for name in ("seller", "customer", "plan") for field in fields(getattr(facts, name))
    }

    assert named - {"plan.key"} == set(CHANGES)


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_missing_fact_is_named_and_nothing_is_rendered(blank: str | None) -> None:
    facts = contract_facts(seller=replace(SELLER, dpo_email=blank))

    with pytest.raises(MissingFact) as refusal:
        render(ref("avv"), "de", facts)

    assert refusal.value.fact == "seller.dpo_email"
    assert refusal.value.kind is Kind.NOT_POSSIBLE
    assert "Vertrag zur Auftragsverarbeitung" in refusal.value.sentence("de")


def test_a_fact_that_is_missing_with_all_that_hangs_on_it_is_named_too() -> None:
    facts = contract_facts(seller=replace(SELLER, insurance=None))

    with pytest.raises(MissingFact, match=r"seller\.insurance"):
        render(ref("insurance"), "de", facts)

    assert render(ref("terms"), "de", facts).text


def test_a_choice_or_a_document_that_does_not_exist_is_refused() -> None:
    facts = contract_facts()

    with pytest.raises(UnknownChoice, match="mars"):
        render(ref("avv"), "de", replace(facts, customer=replace(facts.customer, residency="mars")))
    with pytest.raises(UnknownDocument):
        render(DocumentRef("terms", "1999-01", "accept", Text("x", "x")), "de", facts)


@pytest.mark.parametrize("lang", LANGS)
def test_the_annex_lists_exactly_the_sub_processors_that_were_given(lang: Lang) -> None:
    facts = contract_facts()
    mistral = next(one for one in facts.sub_processors if one.legal_entity == "Mistral AI SAS")

    with_one = render(ref("avv"), lang, replace(facts, sub_processors=(mistral,)))
    with_none = render(ref("avv"), lang, replace(facts, sub_processors=()))

    assert "Mistral AI SAS, Paris" in with_one.text
    assert "Hetzner" not in with_one.text
    assert "Mistral" not in with_none.text
    assert {"de": "kein Unterauftragsverarbeiter", "en": "no sub-processor"}[lang] in with_none.clauses[
        "sub-processor-list"
    ]


@pytest.mark.parametrize(("lang", "words"), [("de", "wird nichts erstattet"), ("en", "nothing is refunded")])
def test_who_pays_for_a_year_reads_before_signing_that_early_switching_refunds_nothing(lang: Lang, words: str) -> None:
    summary = render(ref("terms"), lang, contract_facts(plan=ANNUAL)).summary

    assert any(words in sentence for sentence in summary)


def test_a_pilot_reads_its_cap_and_that_it_never_costs_by_surprise() -> None:
    pilot = render(ref("terms"), "de", contract_facts(plan=PILOT))

    assert "25,00 EUR" in pilot.clauses["ai-budget"]
    assert any("ohne Ihr Zutun" in sentence for sentence in pilot.summary)
    assert "ohne Ihr Zutun" not in " ".join(render(ref("terms"), "de", contract_facts()).summary)


@pytest.mark.parametrize(("plan", "de", "en"), [("starter", "99 %", "99 %"), ("enterprise", "99,9 %", "99.9 %")])
def test_the_target_is_the_plans_and_written_in_the_manner_of_the_language(plan: str, de: str, en: str) -> None:
    facts = contract_facts(plan=PLANS[plan])

    assert de in render(ref("sla"), "de", facts).clauses["availability-target"]
    assert en in render(ref("sla"), "en", facts).clauses["availability-target"]


def test_a_kept_text_opens_again_as_the_same_document() -> None:
    shown = render(ref("avv"), "de", contract_facts())

    again = reopen(shown.ref, "de", shown.text, issuer=SELLER.legal_name, on=shown.date)

    assert again == replace(shown, summary=())
