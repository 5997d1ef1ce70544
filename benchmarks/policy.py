"""What the classifier of prohibited uses costs: microseconds per prompt of the corpus, beside a plain word search.

    make bench-policy                30 rounds
    ROUNDS=5 make bench-policy       fewer

Both look at the same prompts in the same run; the best of the rounds counts for each prompt, as other programs on the
machine only ever make it slower. The baseline asks `any(word in text.lower())` over twenty words, and so finds less and
stops more. The last line is one JSON object.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kontor.billing.metering.policy.classifier import RuleClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.policy_corpus import HARMLESS, Prompt, read_corpus

ROUNDS = int(os.environ.get("ROUNDS", "30"))
WORDS = (
    "bombe", "bomb", "waffe", "weapon", "gun", "drogen", "drugs", "hack", "fälsch", "fake",
    "wahl", "election", "phishing", "betrug", "scam", "arzt", "doctor", "überwach", "spy", "automatisch",
)  # fmt: skip
LONG_CHARS = 100_000


def is_named(text: str) -> bool:
    """The baseline."""
    lowered = text.lower()
    return any(word in lowered for word in WORDS)


def microseconds(classify: Callable[[str], object], text: str, rounds: int = ROUNDS) -> float:
    """The best of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter_ns()
        classify(text)
        best = min(best, time.perf_counter_ns() - began)
    return best / 1000


def row(classify: Callable[[str], object], prompts: Sequence[Prompt]) -> dict[str, float]:
    """What one classifier costs and finds."""
    costs = sorted(microseconds(classify, prompt.text) for prompt in prompts)
    stopped = {prompt.id: bool(classify(prompt.text)) for prompt in prompts}
    hits = [stopped[prompt.id] for prompt in prompts if prompt.label != HARMLESS]
    others = [stopped[prompt.id] for prompt in prompts if prompt.label == HARMLESS]
    filler = "Bitte schicken Sie mir das Angebot für die neue Küche in Eiche zu. "
    long = (filler * LONG_CHARS)[:LONG_CHARS]
    return {
        "p50_us": round(statistics.median(costs), 1),
        "p95_us": round(costs[int(0.95 * len(costs))], 1),
        "around_200_chars_us": round(microseconds(classify, (filler * 3)[:200]), 1),
        "100_000_chars_ms": round(microseconds(classify, long, min(ROUNDS, 5)) / 1000, 1),
        "found_pct": round(100 * sum(hits) / len(hits), 1),
        "stopped_by_mistake_pct": round(100 * sum(others) / len(others), 1),
    }


def main() -> None:
    """Both classifiers on all prompts that were not written to get round the rules."""
    prompts = [prompt for prompt in read_corpus() if prompt.split != "reworded"]
    began = time.perf_counter()
    classifier = RuleClassifier()
    loaded_ms = round((time.perf_counter() - began) * 1000)
    rows = {"rules": row(classifier.classify, prompts), "plain words": row(is_named, prompts)}

    table = Table(title=f"{len(prompts)} prompts; rules loaded in {loaded_ms} ms", box=None, title_justify="left")
    table.add_column("")
    for name in rows:
        table.add_column(name, justify="right")
    for key in rows["rules"]:
        table.add_row(key, *(f"{one[key]:.1f}" for one in rows.values()))
    Console().print(table)
    print(json.dumps({"prompts": len(prompts), "loaded_ms": loaded_ms, **rows}))


if __name__ == "__main__":
    main()
