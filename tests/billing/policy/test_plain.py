"""Plain text: what a reader would read, in one form."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kontor.billing.metering.policy.plain import plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Größe: ÄÖÜ, ẞ!", "groesse aeoeue ss"),
        ("Gro\u0308ße", "groesse"),
        ("groesse", "groesse"),
        ("Tür-zu   jetzt\n»sofort«", "tuer zu jetzt sofort"),
        ("B o m b e", "bombe"),
        ("B o m b e  b a u e n", "bombe bauen"),
        ("B-o-m-b-e b.a.u.e.n", "bombe bauen"),
        ("z. B. i. d. R. nach Plan A b", "z b i d r nach plan a b"),
        ("b0mb", "b0mb bomb"),
        ("p@$$wort 4711", "p wort passwort 4711"),
        ("ＡＢＣ ﬁ Ⅳ", "abc fi iv"),
        ("Сaтт", "catt"),
        ("", ""),
    ],
)
def test_words_stand_in_one_form_with_single_spaces(text: str, words: str) -> None:
    assert plain(text) == f" {words} "


@given(st.text())
@example("\u13a0")
def test_every_word_has_a_space_before_and_after_it_and_is_folded(text: str) -> None:
    words = plain(text)

    assert words == f" {' '.join(words.split())} "
    assert words == words.casefold()  # not lower(): Cherokee folds to capitals
