"""Notices: the sentence stands once at the end of an answer, whoever wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.policy.notices import TAIL_CHARS, needs_notice
from kontor.billing.metering.policy.packs import load_packs
from kontor.core.i18n import LANGS, Lang

PACKS = load_packs()
WITH_NOTICE = ["medical", "legal", "finance"]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("key", WITH_NOTICE)
def test_an_answer_without_the_notice_gets_it_after_a_blank_line(key: str, lang: Lang) -> None:
    pack = PACKS[key]

    appended = needs_notice(pack, lang, "Ruhen Sie sich aus.")

    assert pack.notice is not None
    assert appended == f"\n\n{pack.notice(lang)}"


def test_a_pack_without_a_notice_appends_nothing() -> None:
    assert needs_notice(PACKS["general"], "de", "Ruhen Sie sich aus.") is None
    assert needs_notice(PACKS["medical"], "de", "Ruhen Sie sich aus.") is not None


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_without_text_gets_no_notice(text: str) -> None:
    assert needs_notice(PACKS["medical"], "de", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Dies ist keine medizinische Beratung.",
        "This is not medical advice.",
        "Ruhen Sie sich aus. Dies ist keine medizinische Beratung",
        "Ruhen Sie sich aus.\n\n**Dies ist keine medizinische Beratung.**\n",
        "> _Dies ist keine medizinische Beratung_.",
        "Dies ist __keine__ medizinische\n  Beratung!",
        "DIES IST KEINE MEDIZINISCHE BERATUNG.",
        "„Dies ist keine medizinische Beratung.“",
        "„Dies ist keine medizinische Beratung“.",
        "Dies\u00a0ist keine medizi\u00adnische\u200b Beratung.",
        "*Hinweis: Dies ist keine medizinische Beratung.* Gute Besserung!",
    ],
)
def test_a_notice_that_stands_there_is_not_said_twice(text: str) -> None:
    assert needs_notice(PACKS["medical"], "de", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Dies ist keine medizinische Beratung, sondern meine Diagnose.",
        "Dies ist keine medizinische Beratungsstelle.",
        "Dies ist eine medizinische Beratung.",
        "Dies ist keine Rechtsberatung.",
        "Paradies ist keine medizinische Beratung.",
        "This is not medical advice but a diagnosis.",
    ],
)
def test_what_only_looks_like_the_notice_does_not_count(text: str) -> None:
    assert needs_notice(PACKS["medical"], "de", text) is not None


@given(st.sampled_from(WITH_NOTICE), st.sampled_from(LANGS), st.text(max_size=300))
def test_after_what_was_appended_nothing_is_missing(key: str, lang: Lang, answer: str) -> None:
    whole = answer + (needs_notice(PACKS[key], lang, answer) or "")

    assert not whole.strip() or needs_notice(PACKS[key], lang, whole[-TAIL_CHARS:]) is None
