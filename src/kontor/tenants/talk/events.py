"""What can happen in a conversation, in the past tense."""

from dataclasses import dataclass

from kontor.core.events import Event
from kontor.core.ids import ConversationId


@dataclass(frozen=True, slots=True)
class HumanRequested(Event):
    """An end user has asked for a human, and the assistant is silent until it is handed back."""

    conversation: ConversationId
