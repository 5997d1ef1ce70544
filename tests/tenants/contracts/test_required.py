"""Who gets which documents (product page, "Contracts")."""

import pytest

from kontor.tenants.contracts.errors import UnknownChoice, UnknownDocument
from kontor.tenants.contracts.required import document_ref, required_documents

TABLE = [
    ("DE", "general", "starter", ["terms", "avv", "sla", "aup"]),
    ("DE", "crafts", "enterprise", ["terms", "avv", "sla", "aup", "insurance"]),
    ("AT", "general", "starter", ["terms", "avv", "sla", "aup", "at_clause"]),
    ("CH", "general", "starter", ["terms", "ch_avv", "sla", "aup"]),
    ("DE", "finance", "professional", ["terms", "avv", "sla", "aup", "dora"]),
    ("DE", "insurance", "professional", ["terms", "avv", "sla", "aup", "dora", "secrecy"]),
    ("DE", "legal", "starter", ["terms", "avv", "sla", "aup", "secrecy"]),
    ("DE", "medical", "starter", ["terms", "avv", "sla", "aup", "secrecy"]),
    ("DE", "tax_advice", "starter", ["terms", "avv", "sla", "aup", "secrecy"]),
    ("AT", "medical", "enterprise", ["terms", "avv", "sla", "aup", "at_clause", "secrecy", "insurance"]),
    ("CH", "finance", "enterprise", ["terms", "ch_avv", "sla", "aup", "dora", "insurance"]),
]


@pytest.mark.parametrize(("country", "industry", "plan", "kinds"), TABLE)
def test_a_customer_gets_the_documents_of_its_country_industry_and_plan(
    country: str, industry: str, plan: str, kinds: list[str]
) -> None:
    assert [ref.kind for ref in required_documents(country, industry, plan)] == kinds


def test_all_are_accepted_but_the_insurance_certificate_which_is_only_given() -> None:
    refs = required_documents("DE", "legal", "enterprise")

    assert [ref.kind for ref in refs if not ref.is_to_be_accepted] == ["insurance"]


@pytest.mark.parametrize(("country", "industry"), [("FR", "general"), ("de", "general"), ("DE", "piracy")])
def test_an_unknown_country_or_industry_is_refused_with_the_choices(country: str, industry: str) -> None:
    with pytest.raises(UnknownChoice) as refusal:
        required_documents(country, industry, "starter")

    assert refusal.value.code == "contracts.unknown_choice"
    assert ("DE, AT, CH" if country != "DE" else "medical") in refusal.value.sentence("de")


def test_a_stored_reference_is_found_again_and_an_unknown_one_is_refused() -> None:
    terms = required_documents("DE", "general", "starter")[0]

    assert document_ref(terms.kind, terms.version) == terms
    with pytest.raises(UnknownDocument):
        document_ref("terms", "1999-01")
    with pytest.raises(UnknownDocument):
        document_ref("treasure_map", terms.version)
