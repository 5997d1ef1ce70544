"""How often the acceptable-use policy refused requests of the company, by Berlin day and category."""

from collections import Counter
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from kontor.app.api.schemas import Answer
from kontor.app.api.usage import FromDay, ToDay, period
from kontor.app.http.deps import Caller, ClockDep, DatabaseDep, LangDep, scoped
from kontor.app.http.errors import problems
from kontor.billing.metering.hits import hits_by_day
from kontor.billing.metering.policy.meaning import meaning_of

router = APIRouter(prefix="/api/v1", tags=["usage"])

PolicyCaller = Annotated[Caller, Depends(scoped("usage"))]


class PolicyHitsRow(Answer):
    """One category on one day (Europe/Berlin)."""

    date: date
    category: str = Field(examples=["spam_fraud"])
    hits: int = Field(examples=[2])


class PolicyCategoryOut(Answer):
    """A category's sum over the period, with its name and meaning in the caller's language."""

    category: str = Field(examples=["spam_fraud"])
    name: str = Field(examples=["Spam und Betrug"])
    meaning: str
    hits: int = Field(examples=[2])


class PolicyHitsOut(Answer):
    """Requests that were refused and reached no model; days without one have no row. `to` is the last day.

    Counted without the words. A hit is not a judgement: the rules find words, and err.
    """

    from_: date = Field(alias="from", serialization_alias="from")
    to: date
    rows: list[PolicyHitsRow]
    categories: list[PolicyCategoryOut]
    total: int = Field(examples=[2])


@router.get("/policy-hits", responses=problems(), response_model_by_alias=True)
async def read_policy_hits(
    caller: PolicyCaller,
    database: DatabaseDep,
    clock: ClockDep,
    lang: LangDep,
    *,
    from_day: FromDay = None,
    to: ToDay = None,
) -> PolicyHitsOut:
    """By day, then category; without a range the present month until today."""
    first, last = period(clock, from_day, to)
    async with database.uow(caller.tenant) as tx:
        rows = await hits_by_day(tx, caller.tenant, first, last)
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.category] += row.hits
    named = [(category, meaning_of(category), hits) for category, hits in sums.most_common()]
    return PolicyHitsOut(
        **{"from": first},
        to=last,
        rows=[PolicyHitsRow(date=row.day, category=row.category, hits=row.hits) for row in rows],
        categories=[
            PolicyCategoryOut(category=category, name=one.name(lang), meaning=one.what(lang), hits=hits)
            for category, one, hits in named
        ],
        total=sums.total(),
    )
