"""Samples of the pages that show numbers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from kontor.app.portal.frame import Form, Frame
from kontor.app.portal.render import View
from kontor.app.portal.views import numbers, policy
from kontor.billing.metering.budgets.standing import TenantBudget
from kontor.billing.metering.policy.meaning import meaning_of
from kontor.core.i18n import Lang, Text
from kontor.tenants.people.model import Role
from support.portal.budgets import budget
from support.portal.frames import AT, NOVEMBER, member


def _usage() -> numbers.UsagePage:
    days = tuple(date(2026, 11, n) for n in range(1, 31))
    rows = tuple(
        numbers.UsageRow(
            day,
            model,
            3 + n % 7,
            (n * 7919) % 9000 + 800,
            n * 31,
            (n * 104729) % 4000 + 200,
            (n * 104_729_791) % 620_000_000,
        )
        for n, day in enumerate(days[:22])
        for model in ("mistral-medium-latest", "claude-sonnet-4-5", "kontor-demo")
        if (n + len(model)) % 3
    )
    return numbers.UsagePage(
        NOVEMBER, (NOVEMBER, NOVEMBER.previous()), rows, numbers.usage_chart(rows, days), card(budget(43))
    )


def card(found: TenantBudget, *, may_set: bool = True) -> numbers.BudgetCard:
    """For somebody on Professional."""
    return numbers.BudgetCard(found, Decimal("1.4"), may_set, Form({"cap_eur": "100,00"}))


def _availability() -> numbers.AvailabilityPage:
    first = date(2026, 8, 25)

    def one(n: int) -> numbers.DayUptime:
        day = first + timedelta(days=n)
        if n < 12:
            return numbers.DayUptime(day, "before", None, 0, 0)
        if n in (30, 31, 55):
            return numbers.DayUptime(day, "unobserved", None, 0, 86_400)
        if n == 70:
            return numbers.DayUptime(day, "down", Decimal("91.2"), 7_600, 0)
        if n in (44, 83):
            return numbers.DayUptime(day, "degraded", Decimal("99.8"), 173, 0)
        return numbers.DayUptime(day, "up", Decimal(100), 0, 0)

    cause = Text(de="Der Assistent startete neu.", en="The assistant restarted.")
    outages = (
        numbers.OutageRow(AT - timedelta(hours=3), None, 312, cause),
        numbers.OutageRow(AT - timedelta(days=13), AT - timedelta(days=13) + timedelta(seconds=7600), 7600, cause),
    )
    return numbers.AvailabilityPage(
        NOVEMBER, (NOVEMBER, NOVEMBER.previous()), Decimal("99.604"), Decimal("99.5"), 1_900_800, 1_260, 7_773, 3_600,
        tuple(one(n) for n in range(90)), outages, 3, 1_260,
        (numbers.ProvidersDown(AT - timedelta(days=2), AT - timedelta(days=2) + timedelta(seconds=1_260)),),
    )  # fmt: skip


SPAM, WEAPONS = meaning_of("spam_fraud"), meaning_of("weapons")
POLICY = policy.PolicyPage(
    NOVEMBER,
    (NOVEMBER, NOVEMBER.previous()),
    (policy.CategoryRow(SPAM.name, SPAM.what, 1_204), policy.CategoryRow(WEAPONS.name, WEAPONS.what, 1)),
    (policy.DayRow(date(2026, 11, 20), SPAM.name, 1_204), policy.DayRow(date(2026, 11, 3), WEAPONS.name, 1)),
    5,
    7,
)


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    usage = _usage()
    yield "usage", usage, member(lang, "usage")
    yield "usage-empty", replace(usage, rows=(), chart=numbers.usage_chart((), ()), budget=None), member(lang, "usage")
    yield "policy", POLICY, member(lang, "policy")
    yield "policy-empty", replace(POLICY, categories=(), days=(), alert_hits=0), member(lang, "policy")
    for percent in (0, 50, 80, 100, 127):
        yield f"usage-{percent}-pct", replace(usage, budget=card(budget(percent))), member(lang, "usage")
    capped = card(budget(100, cap=100, day=True, unpriced=7))
    unpriced = tuple(replace(row, unpriced=row.calls if n % 2 else 1) for n, row in enumerate(usage.rows[:5]))
    yield "usage-capped", replace(usage, rows=unpriced, budget=capped), member(lang, "usage")
    yield "usage-above", replace(usage, budget=card(budget(110, cap=150))), member(lang, "usage", Role.BILLING)
    yield "usage-pilot", replace(usage, budget=card(budget(29, is_pilot=True))), member(lang, "usage")
    wrong = replace(card(budget(3)), form=Form({"cap_eur": "viel"}, {"cap_eur": "Keine Zahl."}, "Bitte prüfen."))
    yield "usage-wrong", replace(usage, budget=wrong), member(lang, "usage")
    yield (
        "usage-viewer",
        replace(usage, budget=card(budget(50), may_set=False)),
        member(lang, "usage", Role.VIEWER),
    )
    yield "availability", _availability(), member(lang, "availability")
    yield "availability-empty", replace(_availability(), pct=None, outages=()), member(lang, "availability")
