"""What can happen to a tenant's money, in the past tense. Ids and plain values only."""

from dataclasses import dataclass

from kontor.core.events import Event


@dataclass(frozen=True, slots=True)
class AllowanceReached(Event):
    """A share of what a period includes is used up. At 100 % a cap refuses calls; an allowance goes on as overage."""

    percent: int
    period: str
    is_cap: bool


@dataclass(frozen=True, slots=True)
class PolicyHitsPiledUp(Event):
    """The acceptable-use policy has refused many of a tenant's requests within a few days."""
