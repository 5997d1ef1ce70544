"""What the shipped rules find in the corpus, and that the documents say exactly that."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from kontor.billing.metering.policy.classifier import Category, RuleClassifier
from support.policy_corpus import HARMLESS, Prompt, Split, read_corpus

DOCUMENT: Final = Path(__file__).resolve().parents[3] / "docs/policy.md"
SPLITS: Final[tuple[Split, ...]] = ("train", "held_out", "reworded")
LEAST_RECALL: Final[dict[Split, float]] = {"train": 0.9, "held_out": 0.9, "reworded": 0.0}
MOST_FALSE: Final[dict[Split, float]] = {"train": 0.02, "held_out": 0.02, "reworded": 0.02}

CORPUS: Final = read_corpus()
CLASSIFIER: Final = RuleClassifier()
FOUND: Final = {prompt.id: CLASSIFIER.classify(prompt.text) for prompt in CORPUS}


def hits(split: Split, category: Category | None = None) -> list[Prompt]:
    wanted = [category] if category else list(Category)
    return [prompt for prompt in CORPUS if prompt.split == split and prompt.label in wanted]


def harmless(split: Split, group: str = "") -> list[Prompt]:
    return [one for one in CORPUS if one.split == split and one.label == HARMLESS and one.group.startswith(group)]


def is_found(prompt: Prompt) -> bool:
    """In its own category."""
    found = FOUND[prompt.id]
    return found is not None and found.category == prompt.label


def is_stopped(prompt: Prompt) -> bool:
    return FOUND[prompt.id] is not None


def share(given: Iterable[bool]) -> float:
    answers = list(given)
    return sum(answers) / len(answers)


def shown(given: Iterable[bool]) -> str:
    answers = list(given)
    return f"{sum(answers)} of {len(answers)} ({100 * share(answers):.1f} %)"


def figures() -> str:
    """The table of the document."""
    rows = [(f"`{one}`: found", *(shown(map(is_found, hits(split, one))) for split in SPLITS)) for one in Category]
    rows += [
        ("all prohibited: found in their category", *(shown(map(is_found, hits(split))) for split in SPLITS)),
        ("all prohibited: found in any category", *(shown(map(is_stopped, hits(split))) for split in SPLITS)),
        ("close neighbours: stopped by mistake", *(shown(map(is_stopped, harmless(s, "near"))) for s in SPLITS)),
        ("other harmless: stopped by mistake", *(shown(map(is_stopped, harmless(s, "plain"))) for s in SPLITS)),
        ("all harmless: stopped by mistake", *(shown(map(is_stopped, harmless(split))) for split in SPLITS)),
    ]
    head = ["| prompts | train | held out | reworded |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def test_the_document_says_what_the_rules_find_today() -> None:
    assert figures() in DOCUMENT.read_text(encoding="utf-8"), f"docs/policy.md should say:\n\n{figures()}"


def test_the_document_names_every_category() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert [one for one in Category if f"| `{one}` |" not in text] == []


@pytest.mark.parametrize("split", SPLITS)
def test_enough_is_found_and_little_is_stopped_by_mistake(split: Split) -> None:
    assert share(map(is_found, hits(split))) >= LEAST_RECALL[split]
    assert share(map(is_stopped, harmless(split))) <= MOST_FALSE[split]
