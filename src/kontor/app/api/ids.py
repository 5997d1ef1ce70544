"""Ids at the edge: prefixed text in JSON and in paths, UUID inside."""

from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from kontor.core.errors import DomainError
from kontor.core.ids import (
    PREFIXES,
    ApiKeyId,
    ConversationId,
    ErasureId,
    ExportId,
    GatewayKeyId,
    InstanceId,
    InvitationId,
    MembershipId,
    MessageId,
    OutageId,
    PersonId,
    SessionId,
    TenantId,
    UsageEventId,
    decode,
    encode,
)


class _Edge:
    """How ids of one kind look outside."""

    def __init__(self, kind: str) -> None:
        self._prefix = PREFIXES[kind]

    def read(self, value: object) -> object:
        """From text; a UUID (from our own code) passes."""
        if isinstance(value, UUID):
            return value
        if not isinstance(value, str):
            raise ValueError("must be text")  # noqa: TRY004 - pydantic wants ValueError
        try:
            return decode(self._prefix, value)
        except DomainError as error:
            raise ValueError(error.text.en) from error

    def write(self, value: UUID) -> str:
        """As text."""
        return encode(self._prefix, value)

    @property
    def schema(self) -> dict[str, object]:
        """For the OpenAPI document."""
        return {
            "type": "string",
            "pattern": f"^{self._prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$",
            "examples": [encode(self._prefix, UUID("018c2e65-4be0-7db1-8e2d-3a2f6f0c7d11"))],
        }


def _edge(kind: str) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    edge = _Edge(kind)
    return BeforeValidator(edge.read), PlainSerializer(edge.write), WithJsonSchema(edge.schema)


TenantIdText = Annotated[TenantId, *_edge("tenant")]
PersonIdText = Annotated[PersonId, *_edge("person")]
MembershipIdText = Annotated[MembershipId, *_edge("membership")]
InvitationIdText = Annotated[InvitationId, *_edge("invitation")]
SessionIdText = Annotated[SessionId, *_edge("session")]
InstanceIdText = Annotated[InstanceId, *_edge("instance")]
ConversationIdText = Annotated[ConversationId, *_edge("conversation")]
MessageIdText = Annotated[MessageId, *_edge("message")]
ApiKeyIdText = Annotated[ApiKeyId, *_edge("api_key")]
GatewayKeyIdText = Annotated[GatewayKeyId, *_edge("gateway_key")]
ExportIdText = Annotated[ExportId, *_edge("export")]
OutageIdText = Annotated[OutageId, *_edge("outage")]
ErasureIdText = Annotated[ErasureId, *_edge("erasure")]
UsageEventIdText = Annotated[UsageEventId, *_edge("usage_event")]

__all__ = [
    "ApiKeyIdText",
    "ConversationIdText",
    "ErasureIdText",
    "ExportIdText",
    "GatewayKeyIdText",
    "InstanceIdText",
    "InvitationIdText",
    "MembershipIdText",
    "MessageIdText",
    "OutageIdText",
    "PersonIdText",
    "SessionIdText",
    "TenantIdText",
    "UsageEventIdText",
]
