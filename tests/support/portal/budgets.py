"""Samples of budgets: 100 EUR a month, or a pilot's, used up to some percent."""

from datetime import UTC, date, datetime

from kontor.billing.metering.budgets.standing import Standing, TenantBudget

EURO = 1_000_000_000
START = datetime(2026, 10, 31, 23, tzinfo=UTC)
END = datetime(2026, 11, 30, 23, tzinfo=UTC)


def standing(percent: int, *, cap: int | None = None, is_pilot: bool = False) -> Standing:
    return Standing(
        "total" if is_pilot else "month",
        date(2026, 11, 1),
        START,
        None if is_pilot else END,
        100 * EURO,
        100 * EURO if is_pilot else cap and cap * EURO,
        cap and cap * EURO,
        100 * EURO if is_pilot else None,
        None,
        spent_nano=percent * EURO,
        held_nano=EURO // 4 if percent else 0,
        told_pct=80 if percent >= 80 else 50 if percent >= 50 else 0,
    )


def of_day(percent: int) -> Standing:
    """5 EUR a day."""
    spent = percent * 5 * EURO // 100
    start = datetime(2026, 11, 21, 23, tzinfo=UTC)
    end = datetime(2026, 11, 22, 23, tzinfo=UTC)
    return Standing("day", date(2026, 11, 22), start, end, None, 5 * EURO, 5 * EURO, None, None, spent_nano=spent)


def budget(
    percent: int, *, cap: int | None = None, is_pilot: bool = False, day: bool = False, unpriced: int = 0
) -> TenantBudget:
    return TenantBudget(3, standing(percent, cap=cap, is_pilot=is_pilot), of_day(100) if day else None, unpriced)
