"""Rate limits: a token bucket per key in one statement on an unlogged table.

Shared by all replicas. Keys are hashed: an address or e-mail is not readable in the table. A crash of Postgres
empties the table, which only forgives.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base, Tx
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.core.tenancy import shared_table


class RateBucket(Base):
    """How many tokens a key has left, and when that was true."""

    __tablename__ = "rate_buckets"
    __table_args__ = (
        {
            "prefixes": ["UNLOGGED"],
            **shared_table(
                why="limits bind addresses and networks before anyone is known",
                app="SELECT, INSERT, UPDATE",
                visible="true",
            ),
        },
    )

    key: Mapped[bytes] = mapped_column(primary_key=True)
    tokens: Mapped[float]
    at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` at once, refilled evenly over `per_s` seconds."""

    name: str
    burst: int
    per_s: int


class Limited(DomainError):
    """Too many at once; `retry_after_s` says when the next one is allowed."""

    def __init__(self, retry_after_s: int) -> None:
        minutes = max(1, round(retry_after_s / 60))
        super().__init__(
            Kind.LIMITED,
            "rate.limited",
            Text(
                de=f"Zu viele Versuche. Bitte versuchen Sie es in {minutes} Minute(n) noch einmal.",
                en=f"Too many attempts. Please try again in {minutes} minute(s).",
            ),
            retry_after_s=retry_after_s,
        )


_TAKE: Final = text(
    """
    INSERT INTO rate_buckets AS b (key, tokens, at) VALUES (:key, :burst - 1, :now)
    ON CONFLICT (key) DO UPDATE SET
      tokens = least(:burst, b.tokens + greatest(0, extract(epoch FROM (:now - b.at))) * :burst / :per_s) - 1, at = :now
      WHERE least(:burst, b.tokens + greatest(0, extract(epoch FROM (:now - b.at))) * :burst / :per_s) >= 1
    RETURNING tokens
    """
)
_WAIT: Final = text(
    "SELECT (1 - tokens) * :per_s / :burst - extract(epoch FROM (:now - at)) FROM rate_buckets WHERE key = :key"
)


async def take(tx: Tx, limit: Limit, who: str) -> None:
    """One token of `who` is spent. Raises Limited; a refused attempt costs nothing."""
    key = tx.vault.blind_index(f"limit|{limit.name}|{who}")
    row = await tx.scalar(_TAKE, {"key": key, "burst": float(limit.burst), "per_s": limit.per_s, "now": tx.now})
    if row is None:
        wait = await tx.scalar(_WAIT, {"key": key, "burst": float(limit.burst), "per_s": limit.per_s, "now": tx.now})
        raise Limited(max(1, round(wait or 1)))
