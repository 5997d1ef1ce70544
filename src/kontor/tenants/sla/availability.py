"""Availability over intervals. Pure: no clock, no database.

Owns the formula of the product page ("SLA"): 1 - downtime outside exclusions / (time in service - excluded time), to
the second; a denominator of zero is "not measured". Time that nobody observed is neither up nor down: it is taken out
of the denominator like an exclusion, and told separately.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final


class IntervalKind(StrEnum):
    """What an interval is, when it is not up."""

    DOWN = "down"
    UNOBSERVED = "unobserved"
    EXCLUDED = "excluded"


# Where intervals overlap the first counts: an exclusion covers downtime, and what was seen to be down was seen.
PRECEDENCE: Final = (IntervalKind.EXCLUDED, IntervalKind.DOWN, IntervalKind.UNOBSERVED)
_SHOWN_PLACES: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) of aware instants."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """A span in which the assistant was not simply up."""

    start: datetime
    end: datetime
    kind: IntervalKind


@dataclass(frozen=True, slots=True)
class Measured:
    """Whole seconds of a period: those in service, and which of them were down, excluded and unobserved."""

    in_service_s: int
    down_s: int
    excluded_s: int
    unobserved_s: int

    @property
    def counted_s(self) -> int:
        """The denominator: time in service that is neither excluded nor unobserved."""
        return self.in_service_s - self.excluded_s - self.unobserved_s

    @property
    def availability(self) -> Fraction | None:
        """Exact, 0 to 1; None is "not measured"."""
        return 1 - Fraction(self.down_s, self.counted_s) if self.counted_s > 0 else None

    @property
    def availability_pct(self) -> Decimal | None:
        """For display, three places, rounded down: what is shown as met is met."""
        exact = self.availability
        if exact is None:
            return None
        return (Decimal(exact.numerator * 100) / Decimal(exact.denominator)).quantize(_SHOWN_PLACES, ROUND_FLOOR)

    def meets(self, target_pct: Decimal) -> bool | None:
        """Whether the exact value reaches the target; None when nothing was measured."""
        exact = self.availability
        return None if exact is None else exact * 100 >= Fraction(target_pct)


def measure(period: Span, in_service: Iterable[Span], intervals: Iterable[Interval]) -> Measured:
    """What the intervals say about [period.start, period.end).

    Every instant is cut to its whole second first, so that the seconds of adjacent periods add up. The order of spans
    and intervals is of no importance; they may overlap and stick out.
    """
    start, end = _second(period.start), _second(period.end)
    served = _union(_clipped(((one.start, one.end) for one in in_service), start, end))
    left, seconds = served, dict.fromkeys(PRECEDENCE, 0)
    found = list(intervals)
    for kind in PRECEDENCE:
        of_kind = _union(_clipped(((one.start, one.end) for one in found if one.kind is kind), start, end))
        after = _without(left, of_kind)
        seconds[kind] = _length(left) - _length(after)
        left = after
    return Measured(
        in_service_s=_length(served),
        down_s=seconds[IntervalKind.DOWN],
        excluded_s=seconds[IntervalKind.EXCLUDED],
        unobserved_s=seconds[IntervalKind.UNOBSERVED],
    )


_Seconds = list[tuple[int, int]]


def _second(at: datetime) -> int:
    return int(at.timestamp() // 1)


def _clipped(spans: Iterable[tuple[datetime, datetime]], start: int, end: int) -> _Seconds:
    cut = ((max(start, _second(begin)), min(end, _second(stop))) for begin, stop in spans)
    return [(begin, stop) for begin, stop in cut if begin < stop]


def _union(spans: _Seconds) -> _Seconds:
    merged: _Seconds = []
    for begin, stop in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((begin, stop))
    return merged


def _without(spans: _Seconds, holes: _Seconds) -> _Seconds:
    """Both are unions: sorted and disjoint. One walk over both."""
    kept: _Seconds = []
    at = 0
    for span_begin, stop in spans:
        begin = span_begin
        while at < len(holes) and holes[at][1] <= begin:
            at += 1
        ahead = at
        while ahead < len(holes) and holes[ahead][0] < stop:
            if begin < holes[ahead][0]:
                kept.append((begin, holes[ahead][0]))
            begin = holes[ahead][1]
            ahead += 1
        if begin < stop:
            kept.append((begin, stop))
    return kept


def _length(spans: Sequence[tuple[int, int]]) -> int:
    return sum(stop - begin for begin, stop in spans)
