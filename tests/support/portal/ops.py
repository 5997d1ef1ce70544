"""Samples of the operator's console."""

from collections.abc import Iterator
from dataclasses import replace

from kontor.app.portal.frame import Frame
from kontor.app.portal.render import View
from kontor.app.portal.views import ops
from kontor.app.portal.views.policy import CategoryRow
from kontor.billing.metering.policy.meaning import meaning_of
from kontor.billing.queries import Used
from kontor.core.i18n import Lang
from kontor.tenants.events import Suspension
from support.portal.budgets import budget
from support.portal.frames import AT, AUDIT, TENANT, WRONG, operator

INSTANCE = ops.InstanceRow(
    "ins_01h455vb4pex5vsknk084sn02q",
    TENANT,
    "tischlerei-brandt",
    "failed",
    "absent",
    "openclaw-2026.9.4",
    "local",
    3,
    2,
    4,
    1,
    AT,
    "port_taken",
    "Der Port 20113 ist belegt.",
)
TENANT_ROW = ops.TenantRow(
    TENANT,
    "tischlerei-brandt",
    "Starter",
    is_pilot=True,
    state="active",
    phase="failed",
    failure="port_taken",
    members=3,
    seats=5,
    since=AT,
)


SPAM = meaning_of("spam_fraud")
REFUSED = (CategoryRow(SPAM.name, SPAM.what, 7),)


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    rows = (
        TENANT_ROW,
        replace(
            TENANT_ROW,
            id="tnt_2",
            slug="praxis-oeztuerk",
            state="suspended",
            phase="suspended",
            failure=None,
            is_pilot=False,
            plan="Professional",
        ),
        replace(TENANT_ROW, id="tnt_3", slug="kanzlei-huber", state="onboarding", phase=None, failure=None),
        replace(
            TENANT_ROW,
            id="tnt_4",
            slug="muster-ag",
            phase="ready",
            failure=None,
            plan="Enterprise",
            seats=120,
            members=97,
        ),
        replace(TENANT_ROW, id="tnt_5", slug="geht-gerade", state="erasing", phase="ending", failure=None),
    )
    yield "ops-tenants", ops.Tenants(rows, 5, ops.TenantFilter("brandt")), operator(lang)
    yield "ops-tenants-part", ops.TenantsPart(rows, 5, ops.TenantFilter(), "abc"), operator(lang)
    yield "ops-tenants-empty", ops.Tenants((), 0, ops.TenantFilter(state="active", phase="failed")), operator(lang)
    acts = frozenset({"suspend", "resume", "retry", "delete", "budget"})
    yield (
        "ops-tenant",
        ops.TenantPage(
            TENANT_ROW,
            "DE",
            "crafts",
            "de",
            None,
            INSTANCE,
            AUDIT,
            acts,
            budget(64, cap=80, day=True),
            30,
            REFUSED,
            Used(12, 1, 0, 14_000, 0, 1_630, 64 * 10**9),
            (("gateway.budget_exhausted", 14), ("gateway.prohibited", 2)),
            tuple(Suspension),
        ),
        operator(lang),
    )
    yield (
        "ops-tenant-new",
        ops.TenantPage(
            rows[2],
            "DE",
            "legal",
            "eu",
            "acceptable_use",
            None,
            (),
            frozenset({"delete", "budget"}),
            budget(0, is_pilot=True),
            30,
            form=WRONG,
        ),
        operator(lang),
    )
    pool = replace(
        INSTANCE,
        id="ins_2",
        tenant=None,
        tenant_slug=None,
        phase="ready",
        observed="running",
        failure_code=None,
        failure=None,
    )
    yield "ops-instances", ops.Instances((INSTANCE, pool), 1, 1), operator(lang, "instances")
    yield "ops-instances-empty", ops.Instances((), 0, 1), operator(lang, "instances")
