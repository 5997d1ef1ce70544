"""Telling the reconciler that something is to be done, in the transaction that decided it."""

from typing import Final

from sqlalchemy import text

from kontor.core.db import Tx

CHANNEL: Final = "kontor_reconcile"


async def nudge(tx: Tx) -> None:
    """Every reconciler looks at once when this transaction commits, and never if it does not."""
    await tx.execute(text(f"NOTIFY {CHANNEL}"))
