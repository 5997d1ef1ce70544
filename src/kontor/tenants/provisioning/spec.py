"""What an instance is to run with, as a value. Pure; built by the blueprint from rows, carried out by a runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kontor.core.ids import InstanceId

RELEASE: Final = "2026.9.4"
"""The pinned version of OpenClaw."""

Dialect = Literal["chat", "responses", "messages"]
"""The API in which an instance asks for its model, by the gateway's name for it."""

DIALECT: Final[Dialect] = "chat"
"""Where nobody says otherwise; what every release before this choice spoke."""

_DIALECTS: Final[Mapping[str, Dialect]] = {"chat": "chat", "responses": "responses", "messages": "messages"}


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """One instance. `files` are paths below its workspace with their text; secrets never show in a repr.

    `revision` is that of files and dialect together: whoever wrote it wrote both.
    """

    instance: InstanceId
    release: str
    revision: int
    files: Mapping[str, str]
    memory_mb: int
    gateway_url: str
    token: str = field(repr=False)
    gateway_key: str = field(repr=False)
    dialect: Dialect = DIALECT

    @property
    def namespace(self) -> str:
        """Where it lives; never the tenant's name."""
        return f"kontor-{self.instance}"


def as_dialect(value: str) -> Dialect:
    """What a row says. Raises KeyError."""
    return _DIALECTS[value]
