"""Pages that show numbers: usage by day and model, availability. Charts are drawn by the server as SVG.

So they need no script, print, and are read by a screen reader as the table that stands below them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal

from kontor.app.portal.frame import EMPTY, Form
from kontor.billing.metering.budgets.standing import TenantBudget
from kontor.core.clock import Month
from kontor.core.i18n import Text

SERIES: Final = 5
CHART_WIDTH: Final = 760
CHART_HEIGHT: Final = 220
_LEFT: Final = 44
_BOTTOM: Final = 24
_TOP: Final = 8


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One day and model; tokens as counted, cost in nano-EUR of the calls that are not `unpriced`."""

    day: date
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_nano: int
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """A model's part of a day's bar, in chart units."""

    series: int
    model: str
    tokens: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the month."""

    day: date
    x: float
    width: float
    tokens: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the scale."""

    y: float
    value: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars by day; `series` gives each model its colour, 1 to 5, the rest share the last."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    series: Mapping[str, int]
    width: int = CHART_WIDTH
    height: int = CHART_HEIGHT
    left: int = _LEFT
    base: int = CHART_HEIGHT - _BOTTOM


def usage_chart(rows: tuple[UsageRow, ...], days: tuple[date, ...]) -> Chart:
    """The bars of these days. The scale ends at a round number above the highest day; models by tokens, most first."""
    totals: dict[str, int] = {}
    by_day: dict[date, dict[str, int]] = {day: {} for day in days}
    for row in rows:
        totals[row.model] = totals.get(row.model, 0) + row.tokens
        of_day = by_day.setdefault(row.day, {})
        of_day[row.model] = of_day.get(row.model, 0) + row.tokens
    models = sorted(totals, key=lambda model: (-totals[model], model))
    series = {model: min(place, SERIES) for place, model in enumerate(models, start=1)}
    step = _round_step(max((sum(parts.values()) for parts in by_day.values()), default=0))
    top, base = step * 4, CHART_HEIGHT - _BOTTOM
    scale = (base - _TOP) / top
    slot = (CHART_WIDTH - _LEFT) / max(1, len(by_day))
    bars = []
    for place, (day, parts) in enumerate(sorted(by_day.items())):
        y, pieces = float(base), []
        for model in models:
            if tokens := parts.get(model, 0):
                height = tokens * scale
                y -= height
                pieces.append(Piece(series[model], model, tokens, round(y, 2), round(height, 2)))
        x = round(_LEFT + place * slot + slot * 0.14, 2)
        bars.append(Bar(day, x, round(slot * 0.72, 2), sum(parts.values()), tuple(pieces)))
    lines = tuple(Line(round(base - step * n * scale, 2), step * n) for n in range(5))
    return Chart(tuple(bars), lines, series)


def _round_step(highest: int) -> int:
    """A quarter of the scale: 1, 2, 2.5 or 5 times a power of ten, in whole tokens."""
    quarter = max(1, -(-highest // 4))
    power = 1
    while power * 10 < quarter:
        power *= 10
    return next(
        int(power * factor) for factor in (1, 2, 2.5, 5, 10) if power * factor >= quarter and power * factor % 1 == 0
    )


@dataclass(frozen=True, slots=True)
class BudgetCard:
    """Where the budget stands, and the form for the company's own caps. `overage_factor` is the plan's."""

    standing: TenantBudget
    overage_factor: Decimal
    may_set: bool
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A month's usage. `budget` is None for months that are over."""

    template: ClassVar[str] = "numbers/usage.html"
    month: Month
    months: tuple[Month, ...]
    rows: tuple[UsageRow, ...]
    chart: Chart
    budget: BudgetCard | None

    @property
    def total(self) -> UsageRow:
        """The sum of all rows, under the name of none."""
        return UsageRow(
            self.month.start.date(),
            "",
            sum(r.calls for r in self.rows),
            sum(r.input_tokens for r in self.rows),
            sum(r.cached_tokens for r in self.rows),
            sum(r.output_tokens for r in self.rows),
            sum(r.cost_nano for r in self.rows),
            sum(r.unpriced for r in self.rows),
        )


DayState = Literal["up", "degraded", "down", "unobserved", "before"]


@dataclass(frozen=True, slots=True)
class DayUptime:
    """A day: `pct` is None when it was not measured. `before` lies before the service began."""

    day: date
    state: DayState
    pct: Decimal | None
    down_s: int
    unobserved_s: int


@dataclass(frozen=True, slots=True)
class OutageRow:
    """An interval in which the assistant did not answer; `ended_at` is None while it lasts."""

    started_at: datetime
    ended_at: datetime | None
    seconds: int
    cause: Text


@dataclass(frozen=True, slots=True)
class ProvidersDown:
    """A time in which every permitted provider of models was down, as far as it was observed."""

    started_at: datetime
    until: datetime

    @property
    def seconds(self) -> int:
        """How long."""
        return round((self.until - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class AvailabilityPage:
    """A month's availability by the formula of the contract, and the last 90 days.

    `outages` are the newest of `outages_total`; `provider_down_s` is part of `excluded_s`.
    """

    template: ClassVar[str] = "numbers/availability.html"
    month: Month
    months: tuple[Month, ...]
    pct: Decimal | None
    target_pct: Decimal
    in_service_s: int
    excluded_s: int
    down_s: int
    unobserved_s: int
    days: tuple[DayUptime, ...]
    outages: tuple[OutageRow, ...]
    outages_total: int
    provider_down_s: int
    providers_down: tuple[ProvidersDown, ...]
