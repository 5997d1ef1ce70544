"""The formula over intervals: by example, and for anything that intervals can look like."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.core.clock import Month
from kontor.tenants.sla.availability import Interval, IntervalKind, Measured, Span, measure

NOVEMBER = Span(Month(2026, 11).start, Month(2026, 11).end)
DAY_S = 24 * 3600
DOWN, EXCLUDED, UNOBSERVED = IntervalKind.DOWN, IntervalKind.EXCLUDED, IntervalKind.UNOBSERVED
PROVIDER_DOWN = IntervalKind.PROVIDER_DOWN


def at(day: int, hour: int = 0, minute: int = 0, second: float = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)


def test_a_month_without_outage_is_fully_available() -> None:
    measured = measure(NOVEMBER, [Span(at(1), at(30))], [])

    assert measured == Measured(29 * DAY_S, 0, 0, 0)
    assert (measured.availability, measured.availability_pct) == (1, Decimal("100.000"))


def test_downtime_counts_against_time_in_service_without_excluded_time() -> None:
    intervals = [
        Interval(at(3, 10), at(3, 11), DOWN),
        Interval(at(4), at(14), EXCLUDED),
        Interval(at(20, 0), at(20, 6), UNOBSERVED),
    ]

    measured = measure(NOVEMBER, [Span(at(1), at(30))], intervals)

    assert measured == Measured(29 * DAY_S, 3600, 10 * DAY_S, 6 * 3600)
    assert measured.availability == 1 - Fraction(3600, 19 * DAY_S - 6 * 3600)


def test_downtime_during_an_exclusion_does_not_count() -> None:
    intervals = [Interval(at(3, 10), at(3, 12), DOWN), Interval(at(3, 11), at(3, 13), EXCLUDED)]

    measured = measure(NOVEMBER, [Span(at(3), at(4))], intervals)

    assert (measured.down_s, measured.excluded_s) == (3600, 7200)


def test_a_month_that_was_wholly_excluded_is_not_measured() -> None:
    measured = measure(NOVEMBER, [Span(at(3), at(4))], [Interval(at(1), at(30), EXCLUDED)])

    assert measured.availability is None
    assert measured.availability_pct is None
    assert measured.meets(Decimal("99.0")) is None


def test_a_month_before_service_is_not_measured() -> None:
    assert measure(NOVEMBER, [], []).availability is None


def test_what_lies_outside_the_month_does_not_count_in_it() -> None:
    october = Interval(at(1) - timedelta(days=9), NOVEMBER.start + timedelta(seconds=5), DOWN)

    measured = measure(NOVEMBER, [Span(at(1) - timedelta(days=30), at(2))], [october])

    assert measured.down_s == 5


def test_a_target_is_met_by_the_exact_value_and_never_by_rounding() -> None:
    just_below = Measured(in_service_s=1_000_000, down_s=5_001, excluded_s=0, unobserved_s=0)
    exactly = Measured(in_service_s=1_000_000, down_s=5_000, excluded_s=0, unobserved_s=0)

    assert (just_below.meets(Decimal("99.5")), just_below.availability_pct) == (False, Decimal("99.499"))
    assert (exactly.meets(Decimal("99.5")), exactly.availability_pct) == (True, Decimal("99.500"))


@pytest.mark.parametrize(("start", "end", "down_s"), [(0.0, 0.9, 0), (0.5, 1.5, 1), (0.9, 2.1, 2)])
def test_instants_are_cut_to_the_second(start: float, end: float, down_s: int) -> None:
    outage = Interval(at(3, second=start), at(3, second=end), DOWN)

    assert measure(NOVEMBER, [Span(at(3), at(4))], [outage]).down_s == down_s


MINUTES = st.integers(0, 31 * 24 * 60)
INTERVALS = st.lists(
    st.builds(
        lambda start, length, kind: Interval(
            at(1, minute=start), at(1, minute=start) + timedelta(seconds=length), kind
        ),
        st.integers(0, 59),
        st.integers(0, 40 * DAY_S),
        st.sampled_from(IntervalKind),
    )
    | st.builds(
        lambda start, length, kind: Interval(
            at(1) + timedelta(minutes=start), at(1) + timedelta(minutes=start + length), kind
        ),
        MINUTES,
        st.integers(0, 3000),
        st.sampled_from(IntervalKind),
    ),
    max_size=12,
)
SERVICE = st.lists(
    st.builds(
        lambda start, length: Span(at(1) + timedelta(minutes=start), at(1) + timedelta(minutes=start + length)),
        MINUTES,
        MINUTES,
    ),
    max_size=3,
)


@given(SERVICE, INTERVALS)
def test_every_second_in_service_is_counted_exactly_once(service: list[Span], intervals: list[Interval]) -> None:
    measured = measure(NOVEMBER, service, intervals)

    assert min(measured.down_s, measured.excluded_s, measured.unobserved_s) >= 0
    assert measured.down_s + measured.excluded_s + measured.unobserved_s <= measured.in_service_s
    assert measured.availability is None or 0 <= measured.availability <= 1


@given(SERVICE, INTERVALS, st.randoms(use_true_random=False))
def test_the_order_of_intervals_is_of_no_importance(
    service: list[Span], intervals: list[Interval], random: st.DataObject
) -> None:
    shuffled = list(intervals)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert measure(NOVEMBER, service, shuffled) == measure(NOVEMBER, reversed(service), intervals)


@given(SERVICE, INTERVALS)
def test_telling_an_interval_twice_changes_nothing(service: list[Span], intervals: list[Interval]) -> None:
    assert measure(NOVEMBER, service * 2, intervals * 2) == measure(NOVEMBER, service, intervals)


@given(SERVICE, INTERVALS, MINUTES)
def test_two_parts_of_a_month_add_up_to_the_month(service: list[Span], intervals: list[Interval], cut: int) -> None:
    middle = min(max(at(1) + timedelta(minutes=cut), NOVEMBER.start), NOVEMBER.end)

    first = measure(Span(NOVEMBER.start, middle), service, intervals)
    second = measure(Span(middle, NOVEMBER.end), service, intervals)

    whole = measure(NOVEMBER, service, intervals)
    assert whole == Measured(
        first.in_service_s + second.in_service_s,
        first.down_s + second.down_s,
        first.excluded_s + second.excluded_s,
        first.unobserved_s + second.unobserved_s,
        first.provider_down_s + second.provider_down_s,
    )


@given(SERVICE, INTERVALS)
def test_intervals_agree_with_counting_minutes_one_by_one(service: list[Span], intervals: list[Interval]) -> None:
    whole = [
        Interval(one.start.replace(second=0, microsecond=0), one.end.replace(second=0, microsecond=0), one.kind)
        for one in intervals
    ]
    period = Span(at(10), at(10, 4))

    measured = measure(period, service, whole)

    seconds = dict.fromkeys(("served", *IntervalKind), 0)
    for minute in range(240):
        now = period.start + timedelta(minutes=minute)
        if not any(span.start <= now < span.end for span in service):
            continue
        seconds["served"] += 60
        kinds = {one.kind for one in whole if one.start <= now < one.end}
        kind = next((kind for kind in (EXCLUDED, PROVIDER_DOWN, DOWN, UNOBSERVED) if kind in kinds), None)
        if kind is not None:
            seconds[kind] += 60
    excluded = seconds[EXCLUDED] + seconds[PROVIDER_DOWN]
    expected = Measured(seconds["served"], seconds[DOWN], excluded, seconds[UNOBSERVED], seconds[PROVIDER_DOWN])
    assert measured == expected
