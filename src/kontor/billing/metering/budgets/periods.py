"""Which period of a budget an instant lies in, how large a slice a gateway draws, and what was included. Pure.

Months and days are Berlin's (product page, "Plans").
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args

from kontor.core.clock import day_of, day_start, month_of
from kontor.core.money import half_even_div

Period = Literal["day", "month", "total"]

PERIODS: Final[tuple[Period, ...]] = get_args(Period)
SHARE: Final = 16
MOST_SLICE_NANO: Final = 1_000_000_000
ALERTS_PCT: Final = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Span:
    """One period of a budget: the Berlin day on which it begins, and its end; a total has none."""

    begins: date
    ends_at: datetime | None


def span_of(period: Period, since: date, at: datetime) -> Span:
    """The period in which an instant lies."""
    match period:
        case "total":
            return Span(since, None)
        case "month":
            month = month_of(at)
            return Span(date(month.year, month.number, 1), month.end)
        case "day":
            day = day_of(at)
            return Span(day, day_start(day + timedelta(days=1)))


def as_period(name: str) -> Period:
    """The period of that name. Raises ValueError."""
    return PERIODS[PERIODS.index(name)]


def slice_of(free_nano: int, need_nano: int) -> int:
    """What a gateway draws when it needs an amount: a share of what is free, down to what it needs; 0: not enough."""
    if need_nano > free_nano:
        return 0
    return max(need_nano, min(free_nano // SHARE, MOST_SLICE_NANO))


def included_nano(allowance_nano: int, period: Period, since: date, begins: date) -> int:
    """What a period includes: the first month counts by days, from `since` on."""
    if period != "month" or (since.year, since.month) != (begins.year, begins.month):
        return allowance_nano
    days = monthrange(begins.year, begins.month)[1]
    return half_even_div(allowance_nano * (days - since.day + 1), days)


def due_alert(spent_nano: int, included_nano: int, told_pct: int) -> int | None:
    """The highest share that was reached and not told yet; None: nothing to tell."""
    reached = [pct for pct in ALERTS_PCT if pct > told_pct and spent_nano * 100 >= included_nano * pct]
    return max(reached, default=None) if included_nano > 0 else None
