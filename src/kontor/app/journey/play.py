"""The steps in their order, played one after the other until one fails."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from kontor.app.journey import arriving, leaving, talking
from kontor.app.journey.failed import StepFailed
from kontor.app.journey.report import Report, StepReport
from kontor.app.journey.story import Story

FIRST_ANSWER: Final = "first_answer"


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `act` returns what it saw, or raises StepFailed."""

    name: str
    title: str
    act: Callable[[Story], Awaitable[str]]
    ends_tenant: bool = False


class Watcher(Protocol):
    """Who looks on."""

    def begin(self, step: Step) -> None:
        """It is being played."""

    def detail(self, text: str) -> None:
        """What it sees just now."""

    def ended(self, step: Step, report: StepReport) -> None:
        """It is over."""


STEPS: Final = (
    Step("sign_up", "Sign-up", arriving.sign_up),
    Step("mail", "Mail with link", arriving.mail),
    Step("verification", "Verification", arriving.verification),
    Step("company", "Company", arriving.company),
    Step("contracts", "Contracts", arriving.contracts),
    Step("api_key", "API key", arriving.api_key),
    Step("assistant_ready", "Assistant ready", arriving.assistant_ready),
    Step(FIRST_ANSWER, "First answer", talking.first_answer),
    Step("second_answer", "Second answer remembers", talking.second_answer),
    Step("streaming_answer", "Streaming answer", talking.streaming_answer),
    Step("human", "A human takes over", talking.human),
    Step("usage", "Usage adds up", talking.usage),
    Step("export", "Export", leaving.export),
    Step("deletion", "Deletion", leaving.deletion, ends_tenant=True),
    Step("everything_gone", "Everything gone", leaving.everything_gone, ends_tenant=True),
)


def steps_until(name: str) -> tuple[Step, ...]:
    """The steps up to and with this one."""
    names = [step.name for step in STEPS]
    return STEPS[: names.index(name) + 1]


async def play(
    story: Story, steps: Sequence[Step], watcher: Watcher, clock: Callable[[], float] = time.perf_counter
) -> Report:
    """Every step's report, up to the first that failed."""
    report, began = Report(), clock()
    story.detail = watcher.detail
    for step in steps:
        watcher.begin(step)
        step_began = clock()
        done = StepReport(step.name, ok=True, seconds=0.0)
        try:
            done = replace(done, saw=await step.act(story))
        except StepFailed as failure:
            done = replace(done, ok=False, error=str(failure))
        done = replace(done, seconds=round(clock() - step_began, 3))
        report.steps.append(done)
        watcher.ended(step, done)
        if step.name == FIRST_ANSWER and done.ok:
            report.first_answer_s = round(clock() - began, 3)
        if not done.ok:
            break
    report.total_s = round(clock() - began, 3)
    return report
