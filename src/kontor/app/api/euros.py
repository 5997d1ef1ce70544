"""Amounts of model cost at the edge: EUR as decimals in JSON, nano-EUR inside."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from kontor.core.money import NANO, decimal_of_nano

MOST_EUR: Final = 1_000_000

CapEur = Annotated[
    Decimal, Field(ge=0, le=MOST_EUR, max_digits=9, decimal_places=2, description="EUR", examples=["50.00"])
]
"""A cap of up to a million EUR, in whole cents."""


def nano_of(eur: Decimal | None) -> int | None:
    """Nano-EUR; None stays None."""
    return None if eur is None else int(eur * NANO)


def eur_of(nano: int | None) -> Decimal | None:
    """EUR with six decimals; None stays None."""
    return None if nano is None else decimal_of_nano(nano)
