"""What a test can tell the built-in model to do wrong, and what the model counts, so that tests can compare.

Owns the list of behaviours still to be played and the counters. In memory only; nothing of a prompt is kept but
markers, words of the form `marker-...` that tests put into their questions.
"""

import re
from dataclasses import asdict, dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

_MARKER: Final = re.compile(r"\bmarker-[\w-]+")


class Behaviour(BaseModel):
    """What the next `times` requests whose last user message contains `match` (every one without) are met with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str | None = Field(None, description="only requests whose last user message contains this")
    times: int = Field(1, ge=1, le=1_000_000, description="how many requests")
    delay_ms: int = Field(0, ge=0, le=600_000, description="wait before the answer's head")
    chunk_delay_ms: int = Field(0, ge=0, le=600_000, description="wait before each chunk of a stream")
    status: int | None = Field(None, ge=400, le=599, description="answer with this error")
    error: str = Field("told to fail", description="the error's message")
    error_code: str | None = Field(None, description="the error's code, e.g. insufficient_quota")
    disconnect_after: int | None = Field(None, ge=0, description="break off after so many chunks")
    omit_usage: bool = Field(default=False, description="answer without usage")
    cached_tokens: int = Field(0, ge=0, description="so many of the input's tokens came from a cache")
    cache_write_tokens: int = Field(0, ge=0, description="so many of the rest went into a cache")
    reasoning_tokens: int = Field(0, ge=0, description="so many tokens of output are not shown")
    answer: str | None = Field(None, description="say this instead of what the rules say")


USUAL: Final = Behaviour()


@dataclass(slots=True)
class Counts:
    """What the model saw. `reported_*` are the tokens of answers whose usage was sent to the end."""

    requests: int = 0
    answered: int = 0
    failed: int = 0
    cut: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reported: int = 0
    reported_input_tokens: int = 0
    reported_output_tokens: int = 0


@dataclass(slots=True)
class Ledger:
    """Counts overall, by API key, by marker, and by day (UTC, as 2026-11-23) and the model's name."""

    total: Counts = field(default_factory=Counts)
    keys: dict[str, Counts] = field(default_factory=dict)
    markers: dict[str, Counts] = field(default_factory=dict)
    days: dict[str, dict[str, Counts]] = field(default_factory=dict)

    def of(self, key: str, question: str, model: str, day: str) -> list[Counts]:
        """The counters that a request moves."""
        models = self.days.setdefault(day, {})
        counts = [self.total, self.keys.setdefault(key, Counts()), models.setdefault(model, Counts())]
        if found := _MARKER.search(question):
            counts.append(self.markers.setdefault(found[0], Counts()))
        return counts

    def forget(self) -> None:
        """Counts from zero."""
        self.total = Counts()
        self.keys.clear()
        self.markers.clear()
        self.days.clear()

    def as_dict(self) -> dict[str, object]:
        """For the control endpoint."""
        return asdict(self)


@dataclass(slots=True)
class _Told:
    behaviour: Behaviour
    left: int


class Script:
    """Behaviours in the order in which they were told; the first that matches a request is used up by it."""

    def __init__(self) -> None:
        self._told: list[_Told] = []

    def tell(self, behaviours: list[Behaviour]) -> None:
        """These come after the ones told before."""
        self._told.extend(_Told(behaviour, behaviour.times) for behaviour in behaviours)

    def forget(self) -> None:
        """Everything is as usual again."""
        self._told.clear()

    def next_for(self, question: str) -> Behaviour:
        """What this request is met with."""
        for told in self._told:
            if told.behaviour.match is None or told.behaviour.match in question:
                told.left -= 1
                if told.left == 0:
                    self._told.remove(told)
                return told.behaviour
        return USUAL
