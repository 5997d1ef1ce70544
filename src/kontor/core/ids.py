"""Identifiers: UUIDv7 inside, prefixed text at the edge.

Owns minting and the text form. The text form is a TypeID (github.com/jetify-com/typeid, spec 0.3): a prefix, an
underscore and the 128 bits in 26 characters of lower-case Crockford base 32. Tables hold the native `uuid`.
"""

from datetime import datetime
from typing import Final, NewType
from uuid import UUID

import uuid_utils

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

TenantId = NewType("TenantId", UUID)
PersonId = NewType("PersonId", UUID)
MembershipId = NewType("MembershipId", UUID)
InvitationId = NewType("InvitationId", UUID)
SessionId = NewType("SessionId", UUID)
InstanceId = NewType("InstanceId", UUID)
ConversationId = NewType("ConversationId", UUID)
MessageId = NewType("MessageId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
ExportId = NewType("ExportId", UUID)
GatewayKeyId = NewType("GatewayKeyId", UUID)
UsageEventId = NewType("UsageEventId", UUID)
OutageId = NewType("OutageId", UUID)
ErasureId = NewType("ErasureId", UUID)
AcceptanceId = NewType("AcceptanceId", UUID)
MailId = NewType("MailId", UUID)

PREFIXES: Final = {
    "tenant": "tnt",
    "person": "prs",
    "membership": "mbr",
    "invitation": "inv",
    "session": "ses",
    "instance": "ins",
    "conversation": "cnv",
    "message": "msg",
    "api_key": "key",
    "export": "exp",
    "gateway_key": "gwk",
    "usage_event": "use",
    "outage": "out",
    "erasure": "era",
    "acceptance": "acc",
    "mail": "mal",
    "request": "req",
}

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 26


class InvalidId(DomainError):
    """The text is not an id of the kind that was asked for."""

    def __init__(self, prefix: str) -> None:
        super().__init__(
            Kind.INVALID,
            "id.invalid",
            Text(
                de=f"Das ist keine gültige Kennung. Sie beginnt mit „{prefix}_“ und hat danach 26 Zeichen.",
                en=f"This is not a valid id. It starts with '{prefix}_' followed by 26 characters.",
            ),
        )


def new_id(at: datetime | None = None) -> UUID:
    """A fresh UUIDv7 (RFC 9562), ordered by time; `at` (aware) sets its instant instead of the machine's clock."""
    if at is None:
        return UUID(bytes=uuid_utils.uuid7().bytes)
    return UUID(bytes=uuid_utils.uuid7(nanoseconds=round(at.timestamp() * 1000) * 1_000_000).bytes)


def instant_ms(uid: UUID) -> int:
    """Milliseconds since 1970 that a UUIDv7 carries in its first 48 bits."""
    return uid.int >> 80


def encode(prefix: str, uid: UUID) -> str:
    """The text form, `tnt_01h455vb4pex5vsknk084sn02q`."""
    number = uid.int
    letters = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(letters)}"


def decode(prefix: str, text: str) -> UUID:
    """The id behind its text form. Raises InvalidId for another prefix, a wrong length or a foreign letter."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != _LENGTH or tail[0] > "7":
        raise InvalidId(prefix)
    number = 0
    for letter in tail:
        value = _VALUES.get(letter)
        if value is None:
            raise InvalidId(prefix)
        number = number << 5 | value
    return UUID(int=number)
