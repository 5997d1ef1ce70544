"""Time: aware UTC instants from an object that tests can hold still; months and days of Europe/Berlin.

Business months and days are Berlin's (product page, "Plans"); rollups and timestamps are UTC.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

BERLIN: Final = ZoneInfo("Europe/Berlin")
_DECEMBER: Final = 12
_MONTH: Final = re.compile("[0-9]{4}-[0-9]{2}")


class Clock(Protocol):
    """Where every part of the product gets the time from."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands until it is advanced. For tests and for demonstrations of months in seconds."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant at which the clock stands."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move on; backwards is allowed, clocks do that."""
        self._at += by


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in Europe/Berlin."""

    year: int
    number: int

    def __post_init__(self) -> None:
        date(self.year, self.number, 1)

    @classmethod
    def parse(cls, text: str) -> "Month":
        """From `2026-11`. Raises ValueError for anything else."""
        if _MONTH.fullmatch(text) is None:
            raise ValueError(f"not a month: {text!r}")
        year, number = text.split("-")
        return cls(int(year), int(number))

    @property
    def start(self) -> datetime:
        """Its first instant, UTC."""
        return datetime(self.year, self.number, 1, tzinfo=BERLIN).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first instant of the next month, UTC: periods are [start, end)."""
        return self.next().start

    def next(self) -> "Month":
        """The month after."""
        return Month(self.year + 1, 1) if self.number == _DECEMBER else Month(self.year, self.number + 1)

    def previous(self) -> "Month":
        """The month before."""
        return Month(self.year - 1, _DECEMBER) if self.number == 1 else Month(self.year, self.number - 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def month_of(at: datetime) -> Month:
    """The Berlin month in which an instant lies."""
    local = at.astimezone(BERLIN)
    return Month(local.year, local.month)


def day_of(at: datetime) -> date:
    """The Berlin day in which an instant lies."""
    return at.astimezone(BERLIN).date()


def day_start(day: date) -> datetime:
    """The first instant of a Berlin day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
