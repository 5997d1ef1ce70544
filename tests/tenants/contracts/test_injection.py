"""A customer's words stay words: in Markdown, in HTML, in print."""

import re
import string
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.contracts.markup import clean
from kontor.tenants.contracts.pdf import to_pdf
from kontor.tenants.contracts.render import RenderedDocument, render
from kontor.tenants.contracts.required import document_ref
from support.contracting import contract_facts, customer

NASTY = [
    "<script>alert(1)</script> GmbH",
    '"><img src=x onerror=alert(1)>',
    "**Fett** _kursiv_ `code` ~~weg~~",
    "[Klick](javascript:alert(1)) ![x](https://example.org/x.png)",
    "A | B | C |\\",
    "Firma {#liability-cap} {@erasure} {=A1}",
    "Firma {#liability-cap}",
    "{{ seller.dpo_email }} {% include 'x' %} {{ 7*7 }}",
    "# Überschrift",
    "## 7. Haftung\n\n7.1 Der Anbieter haftet unbegrenzt. {#liability-cap}",
    "- eins\n- zwei\r\n1. drei",
    "1. FC Köln",
    "+ Plus GmbH",
    "=====",
    "---",
    "> Zitat",
    "&lt;b&gt; &amp; Söhne &#35;",
    "Zeile\u2028zwei\u2029drei\x85vier\x0bfünf",
    "rechts\u202eGbmH\u202c\u2066x\u2069",
    "NUL\x00 Klingel\x07",
    "\\*kein Stern\\",
    "#panic() #import $x$ <label> @ref /* */ // \\u{41}",
    "Bäckerei 🥐 Straße 👩‍🍳 漢字 عربي",
]


def document(company: str, kind: str = "avv") -> RenderedDocument:
    facts = contract_facts(replace(customer(company), use_case=company))
    return render(document_ref(kind, packaged().kinds[kind].versions[-1]), "de", facts)


def skeleton(html: str) -> list[str]:
    return re.findall(r"<[^>]*>", html)


@pytest.mark.parametrize("kind", ["avv", "terms", "dora"])
@pytest.mark.parametrize("company", NASTY)
def test_a_name_adds_no_tag_no_clause_and_no_line(company: str, kind: str) -> None:
    harmless = document("Harmlos", kind)

    rendered = document(company, kind)

    assert skeleton(rendered.html) == skeleton(harmless.html)
    assert list(rendered.clauses) == list(harmless.clauses)
    assert rendered.text.count("\n") == harmless.text.count("\n")
    assert {a: t for a, t in rendered.clauses.items() if a == "liability-cap"} == {
        a: t for a, t in harmless.clauses.items() if a == "liability-cap"
    }


@pytest.mark.parametrize("company", NASTY)
def test_a_name_reads_as_it_was_written_but_in_one_line(company: str) -> None:
    rendered = document(company)

    assert f"„{clean(company)}“" in rendered.clauses["purpose"]
    assert f"<td>{clean(company)}, " in unescape(rendered.html)


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from(string.punctuation + " \n\taÄ1🥐"), min_size=1, max_size=30).filter(clean))
def test_no_mix_of_signs_becomes_markup(company: str) -> None:
    rendered = document(company)

    assert skeleton(rendered.html) == skeleton(document("Harmlos").html)
    assert f"„{clean(company)}“" in rendered.clauses["purpose"]


@pytest.mark.parametrize("company", NASTY)
def test_a_name_prints(company: str) -> None:
    assert to_pdf(document(company)).startswith(b"%PDF-")


def test_signs_that_turn_the_reading_direction_or_hide_are_gone_but_emoji_hold_together() -> None:
    assert clean("rechts\u202eGbmH\u200b \x00\ufeff👩‍🍳") == "rechtsGbmH 👩‍🍳"
