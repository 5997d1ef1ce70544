"""Prompts with what they are, for the classifier of prohibited uses: `tests/billing/policy/corpus/*.jsonl`.

Rules are written looking at the train part only; the held-out part says how they do on prompts that they were not
written for. The reworded part was written when the rules stood, by somebody who knew them and avoided their words.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kontor.core.i18n import Lang

HARMLESS: Final = "harmless"
_FOLDER: Final = Path(__file__).resolve().parents[1] / "billing/policy/corpus"

Split = Literal["train", "held_out", "reworded"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; `label` is the category that it falls under, else harmless."""

    id: str
    lang: Lang
    text: str
    label: str
    split: Split

    @property
    def group(self) -> str:
        """What its id begins with: the category, near-category for a harmless neighbour, plain for the rest."""
        return self.id.rsplit("-", 2)[0]


def read_corpus() -> list[Prompt]:
    """All prompts of all parts."""
    lines = [line for file in sorted(_FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    return [Prompt(**json.loads(line)) for line in lines]
