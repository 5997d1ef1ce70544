"""The page on requests that the acceptable-use policy refused."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from kontor.core.clock import Month
from kontor.core.i18n import Text


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category's sum in the month."""

    name: Text
    what: Text
    hits: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """A category's sum on one day."""

    day: date
    name: Text
    hits: int


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """A month's refusals. From `alert_hits` in `alert_days` days on the operator is told; 0: never."""

    template: ClassVar[str] = "numbers/policy.html"
    month: Month
    months: tuple[Month, ...]
    categories: tuple[CategoryRow, ...]
    days: tuple[DayRow, ...]
    alert_hits: int
    alert_days: int

    @property
    def total(self) -> int:
        """All refusals of the month."""
        return sum(row.hits for row in self.categories)

    @property
    def most(self) -> int:
        """The highest sum of a category, at least 1: what bars are drawn against."""
        return max((row.hits for row in self.categories), default=1)
