"""Pages about the assistant and its conversations."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from kontor.app.portal.frame import EMPTY, Form
from kontor.billing.metering.budgets.standing import Standing
from kontor.core.clock import Month
from kontor.core.i18n import Text

Phase = Literal["provisioning", "ready", "hibernated", "suspended", "failed", "ending"]


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something useful to do, until it is done."""

    label: Text
    hint: Text
    path: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Home:
    """The overview. `availability_pct` is None when nothing was measured; `budget` is the plan's."""

    template: ClassVar[str] = "assistant/home.html"
    assistant: str
    phase: Phase
    plan: str
    is_pilot: bool
    month: Month
    budget: Standing
    answers: int
    availability_pct: Decimal | None
    target_pct: Decimal
    seats: int
    members: int
    waiting: int
    steps: tuple[NextStep, ...]
    problem: str | None = None

    @property
    def steps_done(self) -> int:
        """How many are done."""
        return sum(step.is_done for step in self.steps)


SaidBy = Literal["user", "assistant", "human", "notice"]


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `author` only for a human colleague. A cut answer has `is_cut`."""

    by: SaidBy
    text: str
    at: datetime
    author: str | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Imprints:
    """Who stands behind an assistant: the company and the operator, each with its address in one line."""

    company: str
    company_address: str
    operator: str
    operator_imprint: str = "/imprint"


@dataclass(frozen=True, slots=True)
class ChatPage:
    """The member's own conversation. `conversation` is its id's text; `stream_path` answers as server-sent events.

    `last` is the id of the newest message that is shown.
    """

    template: ClassVar[str] = "assistant/chat.html"
    assistant: str
    phase: Phase
    conversation: str | None
    said: tuple[Said, ...]
    disclosure: str
    imprints: Imprints
    stream_path: str = "/api/v1/chat/completions"
    is_with_human: bool = False
    last: str = ""
    draft: str = ""
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class ChatPart(ChatPage):
    """What was said alone, asked for after each answer and every few seconds."""

    template: ClassVar[str] = "assistant/_talk.html"


ConversationState = Literal["assistant", "waiting", "human"]


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation in the list; `preview` is its last message's beginning."""

    id: str
    label: str
    channel: str
    state: ConversationState
    last_at: datetime
    preview: str


@dataclass(frozen=True, slots=True)
class Conversations:
    """Conversations, the one that was active last first; `only_waiting` are those that a human is in charge of."""

    template: ClassVar[str] = "assistant/conversations.html"
    rows: tuple[ConversationRow, ...]
    only_waiting: bool = False
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """One conversation. A member may answer while it is with a human, and hand it back."""

    template: ClassVar[str] = "assistant/conversation.html"
    id: str
    label: str
    channel: str
    state: ConversationState
    started_at: datetime
    said: tuple[Said, ...]
    may_answer: bool
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class ConversationPart(ConversationPage):
    """The messages alone, asked for every few seconds."""

    template: ClassVar[str] = "assistant/_said.html"


@dataclass(frozen=True, slots=True)
class AssistantSettings:
    """Name and instructions. `revision` is what was read; `theirs` is set when somebody else saved meanwhile.

    `is_applied` tells whether the assistant has got them.
    """

    template: ClassVar[str] = "assistant/settings.html"
    phase: Phase
    display_name: str
    system_prompt: str
    revision: int
    is_applied: bool
    pack_rules: tuple[Text, ...]
    may_edit: bool
    updated_at: datetime
    theirs: str | None = None
    form: Form = EMPTY
