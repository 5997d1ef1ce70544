"""Usage by Berlin day and model: as JSON and as CSV."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from kontor.app.api.schemas import Answer
from kontor.app.http.deps import Caller, ClockDep, DatabaseDep, scoped
from kontor.app.http.errors import problems
from kontor.billing.queries import DayOfModel, Used, total, usage_by_day, usage_csv
from kontor.core.clock import Clock, day_of, day_start, month_of
from kontor.core.db import Database
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.core.sheets import safe_cell

router = APIRouter(prefix="/api/v1", tags=["usage"])

UsageCaller = Annotated[Caller, Depends(scoped("usage"))]
MOST_DAYS: Final = 366
EARLIEST: Final = date(2020, 1, 1)
LATEST: Final = date(2999, 12, 31)
DAY: Final = timedelta(days=1)


class PeriodInvalid(DomainError):
    """The range is upside down or too long."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "usage.period",
            Text(
                de=f"„from“ darf nicht nach „to“ liegen, und der Zeitraum umfasst höchstens {MOST_DAYS} Tage.",
                en=f"'from' must not be after 'to', and the period has at most {MOST_DAYS} days.",
            ),
        )


class UsedOut(Answer):
    """Sums of calls to models."""

    calls: int = Field(examples=[12])
    input_tokens: int = Field(examples=[14_020])
    cached_tokens: int = Field(description="part of the input tokens", examples=[0])
    output_tokens: int = Field(examples=[1_630])
    cost_eur: Decimal = Field(description="of the priced calls, six decimals", examples=["0.031250"])
    unpriced_calls: int = Field(description="calls whose price is not known yet", examples=[0])


class UsageRow(UsedOut):
    """One model on one day (Europe/Berlin)."""

    date: date
    model: str = Field(examples=["gpt-5-mini"])


class UsageOut(Answer):
    """Usage of whole Berlin days; days without calls have no row. `to` is the last day."""

    from_: date = Field(alias="from", serialization_alias="from")
    to: date
    rows: list[UsageRow]
    total: UsedOut


FromDay = Annotated[
    date | None, Query(alias="from", ge=EARLIEST, le=LATEST, description="first day; default: the month's")
]
ToDay = Annotated[date | None, Query(ge=EARLIEST, le=LATEST, description="last day; default: today")]


@router.get("/usage", responses=problems(), response_model_by_alias=True)
async def read_usage(
    caller: UsageCaller, database: DatabaseDep, clock: ClockDep, from_day: FromDay = None, to: ToDay = None
) -> UsageOut:
    """By day, then model; without a range the present month until today."""
    first, last = period(clock, from_day, to)
    rows = await _rows(database, caller, first, last)
    return UsageOut(
        **{"from": first},
        to=last,
        rows=[UsageRow(date=row.day, model=row.model, **sums(row.used)) for row in rows],
        total=UsedOut(**sums(total(rows))),
    )


@router.get(
    "/usage.csv",
    response_class=Response,
    responses={**problems(), 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def read_usage_csv(
    caller: UsageCaller, database: DatabaseDep, clock: ClockDep, from_day: FromDay = None, to: ToDay = None
) -> Response:
    """The same as a table (RFC 4180, UTF-8): date, model, input tokens, output tokens, cost in EUR."""
    first, last = period(clock, from_day, to)
    return csv_response(await _rows(database, caller, first, last), f"usage-{first}-{last}.csv")


def csv_response(rows: Sequence[DayOfModel], name: str) -> Response:
    """The table to download under this name, with nothing that a spreadsheet would run."""
    return Response(
        usage_csv([replace(row, model=safe_cell(row.model)) for row in rows]),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )


def period(clock: Clock, first: date | None, last: date | None) -> tuple[date, date]:
    """First and last day of what was asked for; left out, the present month until today. Raises PeriodInvalid."""
    now = clock.now()
    end = last or max(day_of(now), first or EARLIEST)
    begin = first or min(day_of(month_of(now).start), end)
    if begin > end or (end - begin).days >= MOST_DAYS:
        raise PeriodInvalid
    return begin, end


async def _rows(database: Database, caller: Caller, first: date, last: date) -> list[DayOfModel]:
    async with database.uow(caller.tenant) as tx:
        return await usage_by_day(tx, caller.tenant, day_start(first), day_start(last + DAY))


def sums(used: Used) -> dict[str, int | Decimal]:
    """What UsedOut shows."""
    return {
        "calls": used.calls,
        "input_tokens": used.input_tokens,
        "cached_tokens": used.cached_tokens,
        "output_tokens": used.output_tokens,
        "cost_eur": used.cost,
        "unpriced_calls": used.unpriced,
    }
