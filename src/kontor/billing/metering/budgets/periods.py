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


def highest_cap(period: Period, allowance_nano: int | None, operator_cap_nano: int | None) -> int | None:
    """How high a cap may be; None: as high as the tenant likes.

    A pilot's allowance is its hard cap (product page, "Plans"), unless the operator has set another.
    """
    if operator_cap_nano is not None or period != "total":
        return operator_cap_nano
    return allowance_nano


def effective_cap(
    period: Period, allowance_nano: int | None, operator_cap_nano: int | None, own_cap_nano: int | None
) -> int | None:
    """Where calls are refused: at what plan, operator and tenant allow; None: nowhere."""
    highest = highest_cap(period, allowance_nano, operator_cap_nano)
    return min((nano for nano in (highest, own_cap_nano) if nano is not None), default=None)


def whole_of(period: Period, included_nano: int | None, cap_nano: int | None) -> int | None:
    """What shares of a period are shares of: the nearer of what is included and the cap; a pilot's cap alone."""
    if period == "total" and cap_nano is not None:
        return cap_nano
    return min((nano for nano in (included_nano, cap_nano) if nano is not None), default=None)


def due_alert(spent_nano: int, whole_nano: int, told_pct: int) -> int | None:
    """The highest share that was reached and not told yet; None: nothing to tell."""
    reached = reached_pct(spent_nano, whole_nano)
    return reached if reached > told_pct else None


def reached_pct(spent_nano: int, whole_nano: int) -> int:
    """The highest share that is told and was reached; 0: none, and none of nothing."""
    reached = (pct for pct in ALERTS_PCT if spent_nano * 100 >= whole_nano * pct)
    return max(reached, default=0) if whole_nano > 0 else 0
