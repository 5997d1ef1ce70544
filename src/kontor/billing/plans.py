"""Plans: what each costs, includes and promises, as data; what a seat costs at a number of seats, as a rule.

Source of every number: product page, "Plans". Values are in `plans.toml`; an operator can bring its own file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from kontor.core.money import Money, half_even_div

PLAN_KEYS: Final = ("starter", "professional", "enterprise")
VOLUME: Final = ((100, 20), (50, 10))
FLOOR: Final = Money(4000)
CHF_FACTOR: Final = (12, 10)


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `availability_pct` is a month's target; reaction, RTO and RPO are clock hours."""

    key: str
    name: str
    price_cents: int
    ai_budget_cents: int
    overage_factor: Decimal
    availability_pct: Decimal
    p1_reaction_h: int
    rto_h: int
    rpo_h: int
    hibernates: bool

    def seat_price(self, seats: int, currency: str = "EUR") -> Money:
        """Net price of one seat and month after the volume discount, never below the floor; CHF is EUR x 1.2."""
        percent = next((off for least, off in VOLUME if seats >= least), 0)
        cents = max(half_even_div(self.price_cents * (100 - percent), 100), FLOOR.cents)
        if currency == "CHF":
            return Money(half_even_div(cents * CHF_FACTOR[0], CHF_FACTOR[1]), "CHF")
        return Money(cents, "EUR")


@dataclass(frozen=True, slots=True)
class PilotTerms:
    """A trial: `cap_cents` of model cost is a hard cap; there is no overage."""

    weeks: int
    seats: int
    channels: int
    cap_cents: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """All plans of one version."""

    version: str
    plans: Mapping[str, Plan]
    pilot: PilotTerms


_FILE: Final = Path(__file__).with_name("plans.toml")
_PLAN: Final = TypeAdapter(Plan)
_PILOT: Final = TypeAdapter(PilotTerms)


def load(file: Path | None = None) -> PriceList:
    """From `file`, else the shipped one. Raises ValueError that names the file and what is wrong in it."""
    source = file or _FILE
    try:
        data: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
        plans = {key: _PLAN.validate_python({"key": key, **data[key]}) for key in PLAN_KEYS}
        return PriceList(str(data["version"]), plans, _PILOT.validate_python(data["pilot"]))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from error
