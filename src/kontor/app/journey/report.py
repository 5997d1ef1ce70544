"""What a journey found, step by step; the same for people and machines."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step. `saw` is a sentence; `error` is None when it went well, else `code: detail`."""

    name: str
    ok: bool
    seconds: float
    saw: str = ""
    error: str | None = None


@dataclass(slots=True)
class Report:
    """All steps that were begun. `first_answer_s` is from the start of the sign-up to the end of the first answer."""

    steps: list[StepReport] = field(default_factory=list)
    first_answer_s: float | None = None
    total_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every step went well."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def failed(self) -> StepReport | None:
        """The step that ended the journey."""
        return next((step for step in self.steps if not step.ok), None)

    def to_json(self) -> str:
        """One document in one line."""
        return json.dumps(
            {
                "ok": self.ok,
                "steps": [asdict(step) for step in self.steps],
                "first_answer_s": self.first_answer_s,
                "total_s": self.total_s,
            },
            ensure_ascii=False,
        )
