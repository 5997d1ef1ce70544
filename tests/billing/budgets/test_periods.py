"""Periods of budgets, slices of what is left, what a month includes, and what is told when."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.budgets.periods import (
    MOST_SLICE_NANO,
    Period,
    Span,
    due_alert,
    effective_cap,
    included_nano,
    slice_of,
    span_of,
    whole_of,
)

LATE = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # half past midnight in Berlin, on 1 December


@pytest.mark.parametrize(
    ("period", "span"),
    [
        ("day", Span(date(2026, 12, 1), datetime(2026, 12, 1, 23, tzinfo=UTC))),
        ("month", Span(date(2026, 12, 1), datetime(2026, 12, 31, 23, tzinfo=UTC))),
        ("total", Span(date(2026, 11, 5), None)),
    ],
)
def test_days_and_months_are_berlins(period: Period, span: Span) -> None:
    assert span_of(period, date(2026, 11, 5), LATE) == span


@given(free=st.integers(-(10**6), 10**13), need=st.integers(1, 10**10))
def test_a_slice_is_never_more_than_what_is_free_and_never_less_than_what_is_needed(free: int, need: int) -> None:
    drawn = slice_of(free, need)

    assert (drawn == 0) == (need > free)
    assert drawn == 0 or need <= drawn <= max(free, 0)
    assert drawn <= max(need, MOST_SLICE_NANO)


def test_the_first_month_includes_its_days() -> None:
    november, december = date(2026, 11, 1), date(2026, 12, 1)

    assert included_nano(3_000, "month", date(2026, 11, 16), november) == 1_500
    assert included_nano(3_000, "month", november, november) == 3_000
    assert included_nano(3_000, "month", date(2026, 11, 16), december) == 3_000
    assert included_nano(3_000, "total", date(2026, 11, 16), date(2026, 11, 16)) == 3_000


@pytest.mark.parametrize(
    ("spent", "told", "due"),
    [(49, 0, None), (50, 0, 50), (79, 50, None), (85, 0, 80), (100, 80, 100), (300, 100, None)],
)
def test_the_highest_share_that_was_reached_is_told_once(spent: int, told: int, due: int | None) -> None:
    assert due_alert(spent, 100, told) == due
    assert due_alert(spent, 0, told) is None


@pytest.mark.parametrize(
    ("period", "allowance", "operator", "own", "cap"),
    [
        ("month", 100, None, None, None),
        ("month", 100, None, 150, 150),
        ("month", 100, 120, 150, 120),
        ("month", 100, 120, 90, 90),
        ("total", 100, None, None, 100),
        ("total", 100, None, 60, 60),
        ("total", 100, 130, None, 130),
        ("day", None, None, 0, 0),
    ],
)
def test_a_cap_is_the_lowest_that_plan_operator_or_tenant_set(
    period: Period, allowance: int | None, operator: int | None, own: int | None, cap: int | None
) -> None:
    assert effective_cap(period, allowance, operator, own) == cap


def test_shares_are_of_what_ends_first_and_a_pilots_of_its_cap() -> None:
    assert whole_of("month", 100, None) == 100
    assert whole_of("month", 100, 60) == 60
    assert whole_of("month", 100, 150) == 100
    assert whole_of("total", 100, 130) == 130
    assert whole_of("day", None, 7) == 7
    assert whole_of("month", None, None) is None
