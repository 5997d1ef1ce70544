"""Idempotency keys: the same request sent twice is carried out once and answered the same.

The row says that a request is running, that its change is committed, and what was answered. The mark `committed` is
written in the transaction of the change itself, so that a crash between commit and answer cannot make a retry do it
again. Answers are encrypted with a key that only the caller's own credential and key give (they may hold a secret
that is shown once). After draft-ietf-httpapi-idempotency-key-header-07.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.crypto import NONCE_BYTES, derive
from kontor.core.db import Base, Tx
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.core.tenancy import shared_table

KEPT: Final = timedelta(hours=24)
RUNS_AT_MOST: Final = timedelta(seconds=60)


class _State(StrEnum):
    RUNNING = "running"
    COMMITTED = "committed"
    ANSWERED = "answered"


class IdempotentRequest(Base):
    """One request by its key, kept for 24 hours."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (shared_table(why="found by a hash of credential and key", app="SELECT, UPDATE", visible="true"),)

    key: Mapped[bytes] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    state: Mapped[str]
    answer: Mapped[bytes | None]
    started_at: Mapped[datetime] = mapped_column(index=True)


class InProgress(DomainError):
    """The first one still runs."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "idempotency.in_progress",
            Text(
                de="Dieselbe Anfrage wird gerade bearbeitet. Fragen Sie in wenigen Sekunden noch einmal.",
                en="The same request is being carried out. Ask again in a few seconds.",
            ),
            retry_after_s=2,
        )


class KeyReused(DomainError):
    """The key belongs to a different request."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "idempotency.key_reused",
            Text(
                de=(
                    "Dieser Idempotency-Key gehört zu einer anderen Anfrage. Nehmen Sie für jede neue "
                    "Anfrage einen neuen."
                ),
                en="This Idempotency-Key belongs to a different request. Use a new one for each new request.",
            ),
        )


class DoneUnanswered(DomainError):
    """It was carried out, and the answer was lost."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "idempotency.done_unanswered",
            Text(
                de="Die Anfrage wurde ausgeführt, nur die Antwort ging verloren. Sehen Sie in der Liste nach.",
                en="The request was carried out, only its answer was lost. Look it up in the list.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's claim on its key."""

    key: bytes
    cipher_key: bytes
    fingerprint: bytes

    @classmethod
    def of(cls, credential: str, key: str, request: bytes) -> "Ticket":
        """`credential` is what proves the caller; `request` method, path and body."""
        secret = f"{credential}\0{key}".encode()
        return cls(sha256(b"key\0" + secret).digest(), derive(secret, "idempotency"), sha256(request).digest())


async def claim(tx: Tx, ticket: Ticket) -> bytes | None:
    """None: carry it out. Bytes: the stored answer. Raises InProgress, KeyReused, DoneUnanswered."""
    fresh = await tx.scalar(
        insert(IdempotentRequest)
        .values(key=ticket.key, fingerprint=ticket.fingerprint, state=_State.RUNNING, started_at=tx.now)
        .on_conflict_do_nothing()
        .returning(IdempotentRequest.key)
    )
    if fresh is not None:
        return None
    row = await tx.get(IdempotentRequest, ticket.key, with_for_update=True)
    if row is None:
        raise InProgress
    if row.fingerprint != ticket.fingerprint:
        raise KeyReused
    if row.state == _State.ANSWERED and row.answer is not None:
        return AESGCM(ticket.cipher_key).decrypt(row.answer[:NONCE_BYTES], row.answer[NONCE_BYTES:], ticket.key)
    if tx.now - row.started_at < RUNS_AT_MOST:
        raise InProgress
    if row.state == _State.COMMITTED:
        raise DoneUnanswered
    row.started_at = tx.now
    return None


async def mark_committed(tx: Tx, ticket: Ticket) -> None:
    """Called last in the transaction of the change."""
    await tx.execute(
        update(IdempotentRequest)
        .where(IdempotentRequest.key == ticket.key, IdempotentRequest.state == _State.RUNNING)
        .values(state=_State.COMMITTED)
    )


async def answer(tx: Tx, ticket: Ticket, content: bytes) -> None:
    """Later requests with this key get this answer."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(ticket.cipher_key).encrypt(nonce, content, ticket.key)
    await tx.execute(
        update(IdempotentRequest)
        .where(IdempotentRequest.key == ticket.key)
        .values(state=_State.ANSWERED, answer=sealed)
    )


async def release(tx: Tx, ticket: Ticket) -> None:
    """The request changed nothing and may be sent again."""
    await tx.execute(
        delete(IdempotentRequest).where(IdempotentRequest.key == ticket.key, IdempotentRequest.state == _State.RUNNING)
    )


async def sweep(tx: Tx) -> None:
    """Keys older than 24 hours are forgotten."""
    await tx.execute(delete(IdempotentRequest).where(IdempotentRequest.started_at < tx.now - KEPT))
