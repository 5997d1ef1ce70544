"""Numbers, money, days and durations as German and English readers write them."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kontor.app.portal.language import Words
from kontor.app.portal.views.numbers import UsageRow, usage_chart
from kontor.core.clock import Month
from kontor.core.money import Money

DE, EN = Words("de"), Words("en")
NBSP = "\N{NO-BREAK SPACE}"


def test_money_is_written_as_at_home() -> None:
    assert DE.money(Money(123_456)) == f"1.234,56{NBSP}€"
    assert EN.money(Money(123_456)) == "€1,234.56"
    assert DE.money(Money(4900), whole=True) == f"49{NBSP}€"
    assert DE.money(Money(4950), whole=True) == f"49,50{NBSP}€"
    assert DE.money(Money(5880, "CHF")) == f"58,80{NBSP}CHF"
    assert DE.nano(1_234_567, 4) == f"0,0012{NBSP}€"


def test_percent_keeps_its_digits() -> None:
    assert DE.percent(Decimal("99.5")) == f"99,50{NBSP}%"
    assert EN.percent(Decimal("99.604"), 3) == f"99.604{NBSP}%"


def test_an_instant_is_shown_in_berlin() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert DE.at(at) == "23.11.2026, 00:30"
    assert EN.at(at) == "23/11/2026, 00:30"
    assert DE.day(at) == "23. November 2026"
    assert EN.month(Month(2026, 11)) == "November 2026"


def test_a_duration_has_its_two_largest_units() -> None:
    assert DE.duration(0) == f"0{NBSP}Sek."
    assert DE.duration(312) == f"5{NBSP}Min. 12{NBSP}Sek."
    assert DE.duration(86_400) == f"1{NBSP}Tag"
    assert EN.duration(2 * 86_400 + 3 * 3600 + 59) == f"2{NBSP}days 3{NBSP}h"


def test_one_is_not_many() -> None:
    assert DE.count(1, "Platz", "Plätze", "seat", "seats") == f"1{NBSP}Platz"
    assert EN.count(1200, "Platz", "Plätze", "seat", "seats") == f"1,200{NBSP}seats"


@given(st.lists(st.tuples(st.integers(1, 28), st.sampled_from("abcdefg"), st.integers(0, 10**10)), max_size=60))
def test_the_bars_of_a_month_fit_the_chart_and_lose_no_token(seen: list[tuple[int, str, int]]) -> None:
    rows = tuple(UsageRow(date(2026, 2, day), model, 1, tokens, 0, 0, 0) for day, model, tokens in seen)
    days = tuple(date(2026, 2, n) for n in range(1, 29))

    chart = usage_chart(rows, days)

    assert sum(bar.tokens for bar in chart.bars) == sum(row.tokens for row in rows)
    assert len(chart.bars) == 28
    for bar in chart.bars:
        assert all(0 <= piece.y <= chart.base for piece in bar.pieces)
        assert bar.x + bar.width <= chart.width
    assert set(chart.series.values()) <= {1, 2, 3, 4, 5}
    assert [line.value for line in chart.lines] == sorted({line.value for line in chart.lines})
