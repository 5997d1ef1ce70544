"""Money: integer minor units with a currency; model cost in nano-units, rounded once and half-even.

Sums stay in nano-EUR up to the rated line (architecture page, "Mechanisms"); a float never holds money.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

NANO: Final = 1_000_000_000
_NANO_PER_CENT: Final = NANO // 100


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in cents (or the currency's minor unit) of one currency (ISO 4217)."""

    cents: int
    currency: str = "EUR"

    def __add__(self, other: "Money") -> "Money":
        """Raises ValueError for two currencies."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.cents + other.cents, self.currency)

    def __str__(self) -> str:
        return f"{Decimal(self.cents) / 100:.2f} {self.currency}"


def half_even_div(numerator: int, denominator: int) -> int:
    """Integer division rounded half to even, exact at any size; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    double = 2 * rest
    if double > denominator or (double == denominator and quotient % 2):
        return quotient + 1
    return quotient


def cents_and_remainder(nano: int) -> tuple[int, int]:
    """A rated line: nano-units rounded once to cents, and the remainder in nano-units that the line stores."""
    cents = half_even_div(nano, _NANO_PER_CENT)
    return cents, nano - cents * _NANO_PER_CENT


def decimal_of_nano(nano: int, places: int = 6) -> Decimal:
    """Nano-units as a decimal of the currency for display, half-even at `places`."""
    return (Decimal(nano) / NANO).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
