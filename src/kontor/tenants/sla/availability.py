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

from kontor.core.spans import clipped, union, without


class IntervalKind(StrEnum):
    """What an interval is, when it is not up. `PROVIDER_DOWN` is an exclusion that is told separately."""

    DOWN = "down"
    UNOBSERVED = "unobserved"
    EXCLUDED = "excluded"
    PROVIDER_DOWN = "provider_down"


# Where intervals overlap the first counts: an exclusion covers downtime, and what was seen to be down was seen.
PRECEDENCE: Final = (
    IntervalKind.EXCLUDED,
    IntervalKind.PROVIDER_DOWN,
    IntervalKind.DOWN,
    IntervalKind.UNOBSERVED,
)
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
    """Whole seconds of a period: those in service, and which of them were down, excluded and unobserved.

    `provider_down_s` are those of the excluded ones in which every permitted provider of models was down.
    """

    in_service_s: int
    down_s: int
    excluded_s: int
    unobserved_s: int
    provider_down_s: int = 0

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
    served = union(clipped(map(_seconds, in_service), start, end))
    left, seconds = served, dict.fromkeys(PRECEDENCE, 0)
    found = list(intervals)
    for kind in PRECEDENCE:
        of_kind = union(clipped((_seconds(one) for one in found if one.kind is kind), start, end))
        after = without(left, of_kind)
        seconds[kind] = _length(left) - _length(after)
        left = after
    return Measured(
        in_service_s=_length(served),
        down_s=seconds[IntervalKind.DOWN],
        excluded_s=seconds[IntervalKind.EXCLUDED] + seconds[IntervalKind.PROVIDER_DOWN],
        unobserved_s=seconds[IntervalKind.UNOBSERVED],
        provider_down_s=seconds[IntervalKind.PROVIDER_DOWN],
    )


def _seconds(one: Span | Interval) -> tuple[int, int]:
    return _second(one.start), _second(one.end)


def _second(at: datetime) -> int:
    return int(at.timestamp() // 1)


def _length(spans: Sequence[tuple[int, int]]) -> int:
    return sum(stop - begin for begin, stop in spans)
