"""Tables for spreadsheet programs: CSV as RFC 4180 has it, with cells that no program runs as a formula.

Source: OWASP, "CSV Injection".
"""

import csv
import io
from collections.abc import Iterable
from typing import Final

_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows as it is: one that would begin a formula gets an apostrophe in front."""
    return f"'{text}" if text.lstrip(" ").startswith(_RUNS) else text


def row(cells: Iterable[object]) -> str:
    """One line with its CRLF. Texts are made safe; numbers, dates and None (an empty cell) are written as they are."""
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()
