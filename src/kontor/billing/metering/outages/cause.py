"""Why a deployment did not answer, and whose fault that is. Pure.

Who refuses our key, our account or our rate is not down: only what a provider fails to do is its outage.
"""

from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """How the try failed with which an outage began."""

    UNREACHABLE = "unreachable"
    """No connection."""
    SILENT = "silent"
    """A connection, and no answer in time."""
    CUT = "cut"
    """The answer broke off."""
    FAILING = "failing"
    """An answer that says so: status 5xx, or a redirect."""
    REFUSES = "refuses"
    """Status 4xx: our key, our bill, our rate."""


OF_PROVIDER: Final = frozenset(Cause) - {Cause.REFUSES}


def cause_of_status(status: int) -> Cause:
    """What an error status means, once it is known that the request itself was not at fault."""
    return Cause.REFUSES if 400 <= status < 500 else Cause.FAILING  # noqa: PLR2004 - HTTP's own numbers
