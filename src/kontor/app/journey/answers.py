"""The API's answers as far as the journey reads them. What is missing or of another form fails the step."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict


class Seen(BaseModel):
    """Other members may come with it."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Anything(Seen):
    """An answer whose content does not matter."""


class MailLine(Seen):
    """One line of the outbox."""

    id: str
    subject: str


class MailList(Seen):
    """The outbox, the newest first."""

    mails: list[MailLine]


class Mail(MailLine):
    """One mail."""

    links: list[str]


class Me(Seen):
    """The logged-in person."""

    id: str
    email: str


class Membership(Seen):
    """One of a person's companies."""

    state: str


class Person(Seen):
    """The logged-in person with all companies."""

    memberships: list[Membership]


class Company(Seen):
    """The company."""

    id: str
    slug: str
    state: str
    plan: str
    is_pilot: bool


class Document(Seen):
    """One document of the contract; `text` only when it was asked for alone."""

    kind: str
    version: str
    language: str
    title: str
    sha256: str
    must_accept: bool
    text: str = ""


class Accepted(Seen):
    """Whether all documents are accepted."""

    is_complete: bool


class ApiKey(Seen):
    """A new key."""

    id: str
    secret: str


class Assistant(Seen):
    """How far it is."""

    phase: str | None
    observed: str
    is_serving: bool
    progress: int
    step: str
    failure: str | None
    failure_code: str | None
    display_name: str


class Tokens(Seen):
    """What an answer cost."""

    prompt_tokens: int
    completion_tokens: int


class Said(Seen):
    """Text of an answer, or a part of it."""

    content: str | None = None


class Choice(Seen):
    """`message` in a whole answer, `delta` in a stream."""

    message: Said = Said()
    delta: Said = Said()


class Completion(Seen):
    """An answer in OpenAI's form, or a chunk of one."""

    choices: list[Choice]
    usage: Tokens | None = None


class Conversation(Seen):
    """One conversation."""

    id: str
    state: str


class Used(Seen):
    """Sums of calls."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_eur: Decimal


class UsedOnDay(Used):
    """One model on one day."""

    date: date
    model: str


class Usage(Seen):
    """By day and model."""

    rows: list[UsedOnDay]
    total: Used


class Export(Seen):
    """An export on its way."""

    id: str
    state: str
    progress: int
    step: str = ""
    sha256: str | None = None
    error: str | None = None


class ExportedFile(Seen):
    """One line of an export's manifest."""

    path: str
    size_bytes: int
    sha256: str


class Manifest(Seen):
    """What an export says of itself."""

    files: list[ExportedFile]
    missing: list[dict[str, str]]


class ExportedMessage(Seen):
    """What was said."""

    role: str
    content: str


class ExportedConversation(Seen):
    """One conversation in an export."""

    messages: list[ExportedMessage]


class Receipt(Seen):
    """What opens the proof of an erasure."""

    erasure_id: str
    token: str


class Proof(Seen):
    """What was measured after the erasure."""

    rows_left: dict[str, int]
    files_left: int
    instances_left: int
    data_keys_left: int
    audit_entries: int
    audit_is_intact: bool


class Erasure(Seen):
    """How far an erasure is."""

    step: str
    is_done: bool
    proof: Proof | None
