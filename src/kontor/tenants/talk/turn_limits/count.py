"""A turn is counted, or refused because the limit of the one who asks is reached.

Counted in the transaction that stores the message, and given back in the one that stores how it ended, if nothing
went to the assistant. A turn whose process dies in between stays counted: nobody can say whether it was answered.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Final

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from kontor.core.clock import day_of, day_start, month_of
from kontor.core.db import Tx
from kontor.core.ids import TenantId
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.errors import TurnLimitReached
from kontor.tenants.talk.turn_limits.model import TurnLimit

FIRST_REVISION: Final = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """In which Berlin day and month (its first day) a turn was counted."""

    origin: Origin
    day: date
    month: date


async def count(tx: Tx, tenant: TenantId, origin: Origin) -> Counted:
    """One more turn of who asks; nothing is counted when it raises. Raises TurnLimitReached."""
    day, month = periods(tx.now)
    row = insert(TurnLimit).values(
        tenant_id=tenant,
        channel=origin.channel,
        source=origin.source,
        day=day,
        turns_of_day=1,
        month=month,
        turns_of_month=1,
        revision=FIRST_REVISION,
    )
    today = case((row.excluded.day > TurnLimit.day, 0), else_=TurnLimit.turns_of_day)
    this_month = case((row.excluded.month > TurnLimit.month, 0), else_=TurnLimit.turns_of_month)
    counted = await tx.execute(
        row.on_conflict_do_update(
            index_elements=[TurnLimit.tenant_id, TurnLimit.channel, TurnLimit.source],
            set_={
                "day": func.greatest(TurnLimit.day, row.excluded.day),
                "turns_of_day": today + 1,
                "month": func.greatest(TurnLimit.month, row.excluded.month),
                "turns_of_month": this_month + 1,
            },
            where=or_(TurnLimit.per_day.is_(None), today < TurnLimit.per_day)
            & or_(TurnLimit.per_month.is_(None), this_month < TurnLimit.per_month),
        ).returning(TurnLimit.day, TurnLimit.month)
    )
    found = counted.one_or_none()
    if found is None:
        raise _refusal(await _row(tx, tenant, origin), tx.now)
    return Counted(origin, found.day, found.month)


async def give_back(tx: Tx, tenant: TenantId, counted: Counted) -> None:
    """The turn was none, in the day and the month in which it was counted."""
    was_today = TurnLimit.day == counted.day
    was_this_month = TurnLimit.month == counted.month
    await tx.execute(
        update(TurnLimit)
        .where(
            TurnLimit.tenant_id == tenant,
            TurnLimit.channel == counted.origin.channel,
            TurnLimit.source == counted.origin.source,
        )
        .values(
            turns_of_day=func.greatest(0, TurnLimit.turns_of_day - case((was_today, 1), else_=0)),
            turns_of_month=func.greatest(0, TurnLimit.turns_of_month - case((was_this_month, 1), else_=0)),
        )
        .execution_options(synchronize_session=False)
    )


def periods(at: datetime) -> tuple[date, date]:
    """The Berlin day of an instant, and the first day of its month."""
    month = month_of(at)
    return day_of(at), date(month.year, month.number, 1)


def turns_now(row: TurnLimit, at: datetime) -> tuple[int, int]:
    """Counted today and this month."""
    day, month = periods(at)
    return (
        0 if day > row.day else row.turns_of_day,
        0 if month > row.month else row.turns_of_month,
    )


async def _row(tx: Tx, tenant: TenantId, origin: Origin) -> TurnLimit:
    query = select(TurnLimit).where(
        TurnLimit.tenant_id == tenant, TurnLimit.channel == origin.channel, TurnLimit.source == origin.source
    )
    return (await tx.scalars(query.execution_options(populate_existing=True))).one()


def _refusal(row: TurnLimit, now: datetime) -> TurnLimitReached:
    """By the month's limit if that is reached, because it holds longer; by none at all before either."""
    _, this_month = turns_now(row, now)
    today, month = periods(now)
    if row.per_day != 0 and row.per_month is not None and this_month >= row.per_month:
        goes_on = (max(row.month, month) + timedelta(days=31)).replace(day=1)
        return TurnLimitReached("month", row.per_month, goes_on, _wait_s(goes_on, now))
    assert row.per_day is not None  # noqa: S101 - one of the two has refused
    goes_on = max(row.day, today) + timedelta(days=1)
    return TurnLimitReached("day", row.per_day, goes_on, _wait_s(goes_on, now))


def _wait_s(day: date, now: datetime) -> int:
    return max(1, ceil((day_start(day) - now).total_seconds()))
