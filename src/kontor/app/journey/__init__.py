"""The journey of one customer, played over public HTTP only: what `kontor journey` and the benchmark run.

It knows the API as a customer does, by its documents, and imports nothing of the domains.
"""

from kontor.app.journey.play import STEPS, Step, play, steps_until
from kontor.app.journey.report import Report, StepReport
from kontor.app.journey.story import Story

__all__ = ["STEPS", "Report", "Step", "StepReport", "Story", "play", "steps_until"]
