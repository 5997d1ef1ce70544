"""One line of an export: its cells as numbers, days and amounts, and the refusal that names the line. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from kontor.billing.errors import ExportRefused
from kontor.core.i18n import Text

Row = Mapping[str, str]
_COUNT: Final = re.compile(r"[0-9]+(\.0+)?")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+")
_MOST: Final = 2**63 - 1
_CENTS: Final = 2


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums of one model on one UTC day. What is empty was not exported. `rounding` is how far `cost` may be off."""

    requests: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    rounding: Decimal = Decimal(0)

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            _sum(self.requests, other.requests),
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.output_tokens, other.output_tokens),
            self.cost if other.cost is None else other.cost + (self.cost or 0),
            self.currency or other.currency,
            self.rounding + other.rounding,
        )


@dataclass(frozen=True, slots=True)
class Style:
    """How a file writes numbers. `rounding` is half of the last digit that any of its amounts has."""

    is_german: bool = False
    has_decimal_comma: bool = False
    rounding: Decimal = Decimal(0)

    @classmethod
    def of(cls, amounts: Sequence[str], *, is_german: bool) -> "Style":
        """Of a file with these amounts. Only where semicolons part the cells may a comma part the decimals."""
        comma = is_german and any("," in one for one in amounts)
        places = max((len(one.partition("," if comma else ".")[2]) for one in amounts), default=0)
        return cls(is_german, comma, Decimal(5).scaleb(-places - 1) if places >= _CENTS else Decimal(0))


@dataclass(frozen=True, slots=True)
class Cells:
    """One line's cells, read as what they should be. Raises ExportRefused with the line."""

    line: int
    row: Row
    style: "Style"

    def text(self, name: str) -> str:
        """The cell, which must not be empty."""
        if not self.row.get(name):
            raise refused(self.line, f"has no {name}", f"hat keinen Wert in {name}")
        return self.row[name]

    def count(self, name: str, *, needed: bool = False) -> int | None:
        """A number of things; empty when the column is missing or, unless needed, its cell."""
        typed = self.row.get(name, "")
        if not typed and not needed:
            return None
        if self.style.is_german and _GROUPED.fullmatch(typed):
            typed = typed.replace(".", "")
        if _COUNT.fullmatch(typed) is None or (number := int(typed.partition(".")[0])) > _MOST:
            raise refused(self.line, f"has no number in {name}: '{typed}'", f"hat keine Zahl in {name}: „{typed}“")
        return number

    def amount(self, name: str) -> tuple[Decimal | None, Decimal]:
        """An amount of money, and how far it may have been rounded; empty when there is none."""
        typed = self.row.get(name, "")
        if not typed:
            return None, Decimal(0)
        try:
            value = Decimal(typed.replace(".", "").replace(",", ".") if self.style.has_decimal_comma else typed)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise refused(self.line, f"has no amount in {name}: '{typed}'", f"hat keinen Betrag in {name}: „{typed}“")
        return value, self.style.rounding

    def day(self, name: str) -> date:
        """The UTC day of a day, an instant, or seconds since 1970."""
        typed = self.text(name)
        try:
            if typed.isdecimal() and len(typed) > len("20261123"):
                return datetime.fromtimestamp(int(typed), UTC).date()
            at = datetime.fromisoformat(typed)
        except (ValueError, OverflowError, OSError) as error:
            raise refused(
                self.line, f"has no day in {name}: '{typed}'", f"hat keinen Tag in {name}: „{typed}“"
            ) from error
        return at.astimezone(UTC).date() if at.tzinfo else at.date()

    def currency(self, name: str) -> str | None:
        """Its code in capitals."""
        return self.row.get(name, "").upper() or None


def refused(line: int, en: str, de: str) -> ExportRefused:
    """The refusal of a file, at one of its lines."""
    return ExportRefused(Text(de=f"Zeile {line} {de}.", en=f"Line {line} {en}."))


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other + (one or 0)
