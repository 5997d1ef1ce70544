"""To whom the gateway forwards, as a value. Which one: the process decides from its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ASSISTANT: Final = "assistant"
"""The model name that instances ask for; what serves it is the operator's choice."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenAI-compatible endpoint and the model that serves ours. `refuses` names fields that it answers with 4xx."""

    name: str
    base_url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    refuses: frozenset[str] = frozenset()
