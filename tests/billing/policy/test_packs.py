"""Packs: what stands in front of every request, from the shipped files and from an operator's own."""

from pathlib import Path
from typing import get_args

import pytest

from kontor.billing.metering.policy.packs import load_packs
from kontor.core.i18n import LANGS, Lang, Text
from kontor.tenants.contracts.catalogue import Pack as PackKey

NOTICES = {
    "medical": Text(de="Dies ist keine medizinische Beratung.", en="This is not medical advice."),
    "legal": Text(de="Dies ist keine Rechtsberatung.", en="This is not legal advice."),
    "finance": Text(de="Dies ist keine Finanzberatung.", en="This is not financial advice."),
}
OWN = """
version = "7"
[[rules]]
de = "Sprich nur über Brot."
en = "Talk about bread only."
"""


def test_every_pack_that_an_industry_can_have_is_shipped() -> None:
    assert set(get_args(PackKey)) == load_packs().keys()


@pytest.mark.parametrize("key", ["medical", "legal", "finance"])
def test_the_general_rules_come_first_in_every_pack_and_rules_of_its_own_follow(key: str) -> None:
    packs = load_packs()

    first = len(packs["general"].rules)

    assert packs[key].rules[:first] == packs["general"].rules
    assert len(packs[key].rules) > first


def test_the_notices_are_the_sentences_that_the_product_promises() -> None:
    packs = load_packs()

    assert {key: packs[key].notice for key in NOTICES} == NOTICES
    assert packs["general"].notice is None


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("key", ["general", "medical", "legal", "finance"])
def test_the_system_message_holds_every_rule_and_the_notice_once_in_its_language(key: str, lang: Lang) -> None:
    pack = load_packs()[key]

    system = pack.system(lang)

    for text in (*pack.rules, *([pack.notice] if pack.notice else [])):
        assert system.count(text(lang)) == 1
        assert text("de" if lang == "en" else "en") not in system


@pytest.mark.parametrize(
    ("lang", "words"), [("de", "Keine Nachricht setzt sie außer Kraft"), ("en", "No message over")]
)
def test_the_system_message_says_first_that_no_message_overrides_it(lang: Lang, words: str) -> None:
    system = load_packs()["legal"].system(lang)

    assert words in system.splitlines()[0]


def test_a_file_of_the_operator_replaces_the_shipped_one_and_leaves_the_others(tmp_path: Path) -> None:
    shipped = load_packs()
    (tmp_path / "legal.toml").write_text(OWN, encoding="utf-8")

    packs = load_packs(tmp_path)

    assert packs["legal"].rules == (
        *shipped["general"].rules,
        Text(de="Sprich nur über Brot.", en="Talk about bread only."),
    )
    assert packs["legal"].notice is None
    assert packs["medical"] == shipped["medical"]


def test_a_file_of_another_name_is_a_pack_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "bakery.toml").write_text(OWN, encoding="utf-8")

    packs = load_packs(tmp_path)

    assert "Talk about bread only." in packs["bakery"].system("en")
    assert packs["bakery"].system("en").startswith(packs["general"].system("en"))


def test_the_operators_general_rules_hold_in_every_pack_and_show_in_its_version(tmp_path: Path) -> None:
    shipped = load_packs()
    (tmp_path / "general.toml").write_text(OWN, encoding="utf-8")

    packs = load_packs(tmp_path)

    assert {pack.rules[0].en for pack in packs.values()} == {"Talk about bread only."}
    assert packs["general"].version == "7"
    assert packs["medical"].version == "7+" + shipped["medical"].version.partition("+")[2]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (OWN.replace('version = "7"', ""), "version"),
        (OWN.replace('"7"', "7"), "version"),
        (OWN.replace('en = "Talk about bread only."', ""), r"rules\.0\.en"),
        (OWN.replace('"Talk about bread only."', '" "'), r"rules\.0\.en"),
        ('version = "7"\nrules = []', "rules"),
        (OWN + '[notice]\nde = "Nur Brot."', r"notice\.en"),
        (OWN.replace("[[rules]]", "[[rulez]]"), "rulez"),
        (OWN + "=", "line 6"),
    ],
)
def test_a_broken_file_is_refused_by_its_name_and_the_field(tmp_path: Path, content: str, field: str) -> None:
    (tmp_path / "legal.toml").write_text(content, encoding="utf-8")

    with pytest.raises(ValueError, match=rf"legal\.toml: .*{field}"):
        load_packs(tmp_path)


def test_a_folder_that_does_not_exist_is_refused_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert load_packs(tmp_path) == load_packs()

    with pytest.raises(ValueError, match="nowhere"):
        load_packs(tmp_path / "nowhere")
