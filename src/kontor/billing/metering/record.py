"""One record of the journal in one slot of 256 bytes. Pure.

An `open` says that a call is about to cost something, a `close` what it cost. Both carry the whole identity, so that
each can be read without the other. A slot ends nothing and depends on nothing before it: a damaged one costs itself.
No field holds anything that a person wrote.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate
from typing import Final
from uuid import UUID

from kontor.billing.metering.usage import MOST_TOKENS, Outcome, Source, Tokens
from kontor.core.ids import GatewayKeyId, InstanceId, TenantId, UsageEventId, instant_ms

SLOT: Final = 256
EMPTY: Final = bytes(SLOT)
LONGEST_NAME: Final = 48

# checksum; kind, source, outcome, spare; id, tenant, instance, key; five counts, latency, first token; then the lengths
# of three names, and the names
_CHECKSUM: Final = 4
_FIXED: Final = struct.Struct(">BBBx16s16s16s16s5III")
_LENGTHS: Final = 3
_NAMES_AT: Final = _CHECKSUM + _FIXED.size + _LENGTHS
_SOURCES: Final = tuple(Source)
_OUTCOMES: Final = tuple(Outcome)
_NONE: Final = 2**32 - 1
_NOBODY: Final = bytes(16)


class Mark(IntEnum):
    """What a record says about its call."""

    OPEN = 1
    CLOSE = 2
    VOID = 3  # the call never reached the provider: nothing to record


class Damaged(ValueError):
    """The slot holds something that is no record."""


@dataclass(slots=True)
class Call:
    """A call to a model: who, what, and (once closed) how it ended. `id` carries the instant before the call.

    Nobody changes one; a frozen class takes three times as long to make.
    """

    id: UsageEventId
    tenant: TenantId
    instance: InstanceId | None
    key: GatewayKeyId
    asked: str
    model: str
    provider: str
    tokens: Tokens
    outcome: Outcome = Outcome.LOST
    latency_ms: int = 0
    first_token_ms: int | None = None

    @property
    def at(self) -> datetime:
        """When the call began."""
        return datetime.fromtimestamp(instant_ms(self.id) / 1000, UTC)

    def ended(self, tokens: Tokens, outcome: Outcome, latency_ms: int, first_token_ms: int | None) -> "Call":
        """The same call with its numbers."""
        return Call(
            self.id,
            self.tenant,
            self.instance,
            self.key,
            self.asked,
            self.model,
            self.provider,
            tokens,
            outcome,
            latency_ms,
            first_token_ms,
        )


def pack(mark: Mark, call: Call) -> bytes:
    """One slot. Names longer than LONGEST_NAME bytes are cut, numbers too large for their place are the largest."""
    tokens = call.tokens
    counts: Sequence[int] = tokens.input, tokens.cached, tokens.cache_write, tokens.output, tokens.reasoning
    if max(counts) > MOST_TOKENS:
        counts = [min(count, MOST_TOKENS) for count in counts]
    fixed = _FIXED.pack(
        mark,
        _SOURCES.index(tokens.source),
        _OUTCOMES.index(call.outcome),
        call.id.bytes,
        call.tenant.bytes,
        call.instance.bytes if call.instance else _NOBODY,
        call.key.bytes,
        *counts,
        min(max(call.latency_ms, 0), _NONE - 1),
        _NONE if call.first_token_ms is None else min(max(call.first_token_ms, 0), _NONE - 1),
    )
    body = fixed + _names(call.asked, call.model, call.provider)
    return zlib.crc32(body).to_bytes(_CHECKSUM) + body


def unpack(slot: bytes) -> tuple[Mark, Call] | None:
    """The record in a slot; None for a slot that was never written. Raises Damaged."""
    if slot == EMPTY:
        return None
    if len(slot) != SLOT or zlib.crc32(slot[_CHECKSUM:]) != int.from_bytes(slot[:_CHECKSUM]):
        raise Damaged
    mark, source, outcome, id_, tenant, instance, key, *numbers = _FIXED.unpack_from(slot, _CHECKSUM)
    input_, cached, cache_write, output, reasoning, latency_ms, first_ms = numbers
    try:
        call = Call(
            UsageEventId(UUID(bytes=id_)),
            TenantId(UUID(bytes=tenant)),
            InstanceId(UUID(bytes=instance)) if instance != _NOBODY else None,
            GatewayKeyId(UUID(bytes=key)),
            *_read_names(slot[_NAMES_AT - _LENGTHS :]),
            Tokens(input_, cached, cache_write, output, reasoning, _SOURCES[source]),
            _OUTCOMES[outcome],
            latency_ms,
            None if first_ms == _NONE else first_ms,
        )
        return Mark(mark), call
    except (IndexError, ValueError) as error:
        raise Damaged from error


@lru_cache(maxsize=1024)
def _names(*names: str) -> bytes:
    """The end of a slot: the lengths of the names, the names, and what fills it."""
    written = [name.replace("\0", "").encode("utf-8", "replace")[:LONGEST_NAME] for name in names]
    return (bytes(map(len, written)) + b"".join(written)).ljust(SLOT - _NAMES_AT + _LENGTHS, b"\0")


@lru_cache(maxsize=1024)
def _read_names(end: bytes) -> tuple[str, str, str]:
    begin, second, third, stop = accumulate(end[:_LENGTHS], initial=_LENGTHS)
    asked, model, provider = end[begin:second], end[second:third], end[third:stop]
    return asked.decode("utf-8", "replace"), model.decode("utf-8", "replace"), provider.decode("utf-8", "replace")
