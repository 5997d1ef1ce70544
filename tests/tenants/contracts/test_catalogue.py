"""Data files: what is in ours, and what a broken one of an operator says."""

import shutil
from pathlib import Path

import pytest

from kontor.tenants.contracts.catalogue import PACKAGE, Catalogue, load, packaged
from kontor.tenants.contracts.errors import BrokenFile, UnknownChoice
from kontor.tenants.contracts.render import render
from kontor.tenants.contracts.required import document_ref
from support.contracting import contract_facts


@pytest.fixture
def room(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE / "data", tmp_path / "data")
    shutil.copytree(PACKAGE / "documents", tmp_path / "documents")
    return tmp_path


def loaded(room: Path) -> Catalogue:
    return load(room / "data", room / "documents")


def test_a_copy_of_our_files_loads_as_ours(room: Path) -> None:
    assert loaded(room).industries == packaged().industries


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("countries.toml", "[AT]", "[AT", "is not TOML"),
        ("countries.toml", 'currency = "CHF"', 'currency = "francs"', "[CH] currency"),
        (
            "countries.toml",
            'data_protection_law = "revdsg"',
            'data_protection_law = "none"',
            "[CH] data_protection_law",
        ),
        ("countries.toml", 'en = "Austria"', 'fr = "Autriche"', "[AT] name.en"),
        ("countries.toml", 'en = "Austria"', 'en = " "', "[AT] name: empty in one language"),
        ("industries.toml", 'pack = "legal"', 'pack = "pirates"', "[legal] pack"),
        ("industries.toml", "dora = true", "dorra = true", "[finance] dorra"),
        ("residencies.toml", "is_default = true", "", "exactly one residency is the default"),
        ("residencies.toml", 'zones = ["de"]', 'zones = ["mars"]', "[de] zones"),
        ("deployments.toml", 'legal_entity = "Mistral AI SAS"', "", "[mistral-eu] legal_entity"),
        ("kinds.toml", 'countries = ["AT"]', 'countries = ["FR"]', "FR is in no countries.toml"),
        ("kinds.toml", 'versions = ["2026-11"]', 'versions = ["2026-11", "2027-01"]', "2027-01 has no text"),
        ("kinds.toml", 'versions = ["2026-11"]', "versions = []", "[terms] versions: at least one"),
        ("kinds.toml", 'versions = ["2026-11"]', 'versions = ["2026-11", "2026-11"]', "oldest first, none twice"),
        ("kinds.toml", 'duty = "accept"', 'duty = "ignore"', "[terms] duty"),
    ],
)
def test_a_broken_data_file_is_named_with_the_place(room: Path, file: str, old: str, new: str, said: str) -> None:
    target = room / "data" / file
    source = target.read_text(encoding="utf-8")
    assert old in source
    target.write_text(source.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(BrokenFile) as broken:
        loaded(room)

    assert str(broken.value).startswith(str(target))
    assert said in str(broken.value)


def test_a_missing_and_an_empty_data_file_are_named(room: Path) -> None:
    (room / "data" / "industries.toml").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(BrokenFile, match=r"industries\.toml: is empty"):
        loaded(room)

    (room / "data" / "industries.toml").unlink()
    with pytest.raises(BrokenFile, match=r"industries\.toml: does not exist"):
        loaded(room)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("no fence", "does not open with"),
        ("+++\nsummary = [\n+++\n## A\n", "summary is not TOML"),
        ('+++\nsummary = "one"\n+++\n## A\n', "summary is not a list"),
        ("+++\nsummary = []\n+++\n## A\n\nx {#a}\n\ny {#a}\n", "the anchor a stands twice"),
        ("+++\nsummary = []\n+++\n## A\n\nx {@b} {#a}\n", "no clause b"),
        ("+++\nsummary = []\n+++\n## A\n\n{% if %} {#a}\n", "Expected an expression"),
    ],
)
def test_a_broken_text_is_named_when_it_is_rendered(room: Path, body: str, said: str) -> None:
    text = room / "documents" / "terms" / "2026-11" / "de.md"
    text.write_text(body, encoding="utf-8")
    catalogue = loaded(room)

    with pytest.raises(BrokenFile) as broken:
        render(document_ref("terms", "2026-11"), "de", contract_facts(), catalogue=catalogue)

    assert str(text) in str(broken.value)
    assert said in str(broken.value)


def test_a_residency_permits_its_own_deployments_and_the_stricter_ones() -> None:
    ours = packaged()
    by_choice = {key: {one.zone for one in ours.fitting(key)} for key in ours.residencies}

    assert by_choice == {"de": {"de"}, "eu": {"de", "eu"}, "world": {"de", "eu", "world"}}
    assert [key for key, one in ours.residencies.items() if one.is_default] == ["eu"]
    with pytest.raises(UnknownChoice):
        ours.fitting("mars")


def test_every_pack_and_both_flags_have_an_industry() -> None:
    industries = packaged().industries.values()

    assert {one.pack for one in industries} == {"general", "medical", "legal", "finance"}
    assert {key for key, one in packaged().industries.items() if one.dora} >= {"finance", "insurance"}
    assert {key for key, one in packaged().industries.items() if one.section_203} >= {"medical", "legal", "tax_advice"}
