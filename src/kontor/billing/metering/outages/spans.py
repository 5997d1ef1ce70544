"""When every deployment of a route was down. Pure.

Source: product page, "SLA" (provider outages while *every* permitted deployment is down).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kontor.billing.metering.outages.cause import OF_PROVIDER, Cause
from kontor.core.spans import Pairs, clipped, overlap, union

LONGEST_GAP: Final = timedelta(minutes=3)
"""How long a failed try says something: a circuit waits up to 60 s, and then a provider may be silent for 110 s."""


@dataclass(frozen=True, slots=True)
class Outage:
    """[started_at, observed_until) in which one gateway process got no answer from a deployment."""

    deployment: str
    cause: Cause
    is_third_party: bool
    started_at: datetime
    observed_until: datetime

    @property
    def is_providers(self) -> bool:
        """Whether it is a provider's, and so excludes time: not a machine of ours, not a key or a bill of ours."""
        return self.is_third_party and self.cause in OF_PROVIDER


@dataclass(frozen=True, slots=True)
class Route:
    """The deployments that serve from `since` until the next route begins."""

    since: datetime
    deployments: tuple[str, ...]


def all_down(routes: Iterable[Route], outages: Iterable[Outage], start: datetime, end: datetime) -> Pairs[datetime]:
    """The parts of [start, end) in which each deployment of the route that held then had an outage of its provider's.

    Sorted and disjoint. A deployment is down while any process saw it down. Before the first route, and while one is
    empty, nothing is: there was no provider that could fail.
    """
    down: dict[str, Pairs[datetime]] = {}
    for one in outages:
        if one.is_providers:
            down.setdefault(one.deployment, []).append((one.started_at, one.observed_until))
    ordered = sorted(routes, key=lambda route: route.since)
    ends = [*(route.since for route in ordered[1:]), end]
    found: Pairs[datetime] = []
    for route, until in zip(ordered, ends, strict=False):
        found += _all_of(route.deployments, down, clipped([(route.since, until)], start, end))
    return union(found)


def _all_of(deployments: Sequence[str], down: dict[str, Pairs[datetime]], within: Pairs[datetime]) -> Pairs[datetime]:
    left = within if deployments else []
    for name in deployments:
        left = overlap(left, union(down.get(name, [])))
    return left
