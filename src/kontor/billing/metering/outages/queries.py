"""What was recorded of providers' outages, for the SLA and for operators."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from kontor.billing.metering.outages.cause import OF_PROVIDER, Cause
from kontor.billing.metering.outages.model import ModelRoute, ProviderOutage
from kontor.billing.metering.outages.spans import LONGEST_GAP, Outage, Route, all_down
from kontor.core.db import Tx
from kontor.core.spans import Pairs


@dataclass(frozen=True, slots=True)
class OutageOfDeployment:
    """What all gateways together saw of one outage; `gateways` is how many did. `causes` in the order of their time.

    `is_over` is None when nobody tried again, or whoever saw it is gone: how it ended is not known.
    """

    deployment: str
    causes: tuple[Cause, ...]
    is_third_party: bool
    started_at: datetime
    observed_until: datetime
    gateways: int
    is_over: bool | None

    @property
    def is_providers(self) -> bool:
        """Whether it excludes time of the tenants that have no other deployment left."""
        return self.is_third_party and bool(OF_PROVIDER.intersection(self.causes))


async def times_all_down(
    tx: Tx, model: str, dialect: str, residency: str, *, start: datetime, end: datetime
) -> Pairs[datetime]:
    """The parts of [start, end) in which all deployments that might have answered were down by their providers."""
    routes = await tx.execute(
        select(ModelRoute.since, ModelRoute.deployments).where(
            ModelRoute.model == model,
            ModelRoute.dialect == dialect,
            ModelRoute.residency == residency,
            ModelRoute.since < end,
        )
    )
    rows = await tx.scalars(
        select(ProviderOutage).where(ProviderOutage.started_at < end, ProviderOutage.observed_until > start)
    )
    outages = [
        Outage(row.deployment, Cause(row.cause), row.is_third_party, row.started_at, row.observed_until) for row in rows
    ]
    return all_down([Route(since, tuple(names)) for since, names in routes], outages, start, end)


async def outages_since(tx: Tx, since: datetime) -> list[OutageOfDeployment]:
    """Outages that reach beyond `since`, the newest first. What several gateways saw at the same time is one."""
    rows = await tx.scalars(
        select(ProviderOutage)
        .where(ProviderOutage.observed_until >= since)
        .order_by(ProviderOutage.deployment, ProviderOutage.started_at, ProviderOutage.id)
    )
    groups: list[list[ProviderOutage]] = []
    for row in rows:
        last = groups[-1] if groups else None
        if (
            last is not None
            and last[0].deployment == row.deployment
            and row.started_at <= max(one.observed_until for one in last)
        ):
            last.append(row)
        else:
            groups.append([row])
    return sorted((_merged(group, tx.now) for group in groups), key=lambda one: one.started_at, reverse=True)


def _merged(rows: list[ProviderOutage], now: datetime) -> OutageOfDeployment:
    until = max(row.observed_until for row in rows)
    is_seen = any(row.ended_at is None and now - row.observed_until <= LONGEST_GAP for row in rows)
    has_ended = all(row.ended_at is not None for row in rows if row.observed_until == until)
    return OutageOfDeployment(
        rows[0].deployment,
        tuple(dict.fromkeys(Cause(row.cause) for row in rows)),
        rows[0].is_third_party,
        rows[0].started_at,
        until,
        len({row.gateway for row in rows}),
        is_over=False if is_seen else has_ended or None,
    )
