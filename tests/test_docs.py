"""The documents stay true: links lead somewhere, and what they name exists."""

import re
from pathlib import Path

import pytest

from kontor.core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8"))) <= targets


def test_every_setting_that_operations_names_exists() -> None:
    known = {f"KONTOR_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"`(KONTOR_[A-Z_]+)`", (ROOT / "docs/operations.md").read_text(encoding="utf-8")))

    assert named
    assert named <= known
