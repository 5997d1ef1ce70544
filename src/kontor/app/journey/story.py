"""What one journey knows of itself: who the customer is, what it chose, what was said, what it holds to the service."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kontor.app.journey.answers import Receipt, Tokens
from kontor.app.journey.customer import Customer

PERSON: Final = "Jürgen"
END_USER: Final = "customer-4711"

_ADDRESS: Final = {
    "street": "Königstraße 1",
    "postcode": "70173",
    "city": "Stuttgart",
    "country": "DE",
    "is_business": True,
    "industry": "general",
    "residency": "eu",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the customer says, in its language."""

    use_case: str
    disclosure: str
    first: str
    second: str
    streaming: str
    human: str


WORDS: Final = {
    "de": Words(
        use_case="Fragen unserer Kundschaft zu Öffnungszeiten und Bestellungen",
        disclosure="Sie kommunizieren mit einem KI-gestützten Assistenten von {company}.",
        first=f"Guten Tag! Mein Name ist {PERSON}.",
        second="Wie heiße ich?",
        streaming="Bitte zähle bis 40.",
        human="MENSCH",
    ),
    "en": Words(
        use_case="Questions of our customers about opening hours and orders",
        disclosure="You are talking to an AI assistant of {company}",
        first=f"Good morning! My name is {PERSON}.",
        second="What is my name?",
        streaming="Please count to 40.",
        human="HUMAN",
    ),
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the journey waits for what happens in the background."""

    mail_s: float = 60.0
    ready_s: float = 120.0
    usage_s: float = 30.0
    export_s: float = 120.0
    gone_s: float = 180.0


def _nobody(_: str) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Story:
    """One customer's. The first fields are chosen, the others are learned on the way."""

    customer: Customer
    language: str = "de"
    plan: str = "pilot"
    email: str = field(default_factory=lambda: f"journey-{secrets.token_hex(6)}@example.org")
    password: str = field(default_factory=lambda: f"Drei Äpfel und ein Boot {secrets.token_hex(6)}")
    company: str = "Bäckerei Müller Reise GmbH"
    patience: Patience = field(default_factory=Patience)
    detail: Callable[[str], None] = _nobody

    link: str = ""
    tenant: str = ""
    slug: str = ""
    conversation: str = ""
    asked: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    used: list[Tokens] = field(default_factory=list)
    usage_csv: str = ""
    receipt: Receipt | None = None

    @property
    def words(self) -> Words:
        """In the customer's language."""
        return WORDS[self.language]

    @property
    def form(self) -> dict[str, object]:
        """The company as it signs up."""
        return {
            **_ADDRESS,
            "legal_name": self.company,
            "use_case": self.words.use_case,
            "plan": self.plan,
            "seats": 5,
            "language": self.language,
        }
