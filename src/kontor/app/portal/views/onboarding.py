"""Pages from a new account to an assistant that answers. `step` counts from 0: account, company, contracts, chat."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from markupsafe import Markup

from kontor.app.portal.frame import EMPTY, Choice, Form
from kontor.billing.plans import PriceList
from kontor.core.i18n import Text
from kontor.core.money import Money


@dataclass(frozen=True, slots=True)
class Better:
    """More seats for less money: the next step of the volume discount."""

    seats: int
    total: Money


@dataclass(frozen=True, slots=True)
class Quote:
    """What a month costs, net; `total` is None for a pilot. Also a fragment that is asked for at each change."""

    template: ClassVar[str] = "onboarding/quote.html"
    plan: str
    seats: int
    seat_price: Money | None
    total: Money | None
    better: Better | None = None
    pilot_weeks: int = 0
    pilot_cap: Money | None = None

    @property
    def v(self) -> "Quote":
        """Under the same name in the page and as a fragment."""
        return self


@dataclass(frozen=True, slots=True)
class CompanyForm:
    """Who the customer is and what it wants."""

    template: ClassVar[str] = "onboarding/company.html"
    countries: tuple[Choice, ...]
    industries: tuple[Choice, ...]
    residencies: tuple[Choice, ...]
    prices: PriceList
    quote: Quote
    form: Form = EMPTY
    step: int = 1


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document of the contract, in words of this customer. `html` is our own text with escaped facts."""

    kind: str
    version: str
    title: str
    summary: tuple[str, ...]
    html: Markup
    sha256: str
    must_accept: bool
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContractsPage:
    """All documents to read and accept."""

    template: ClassVar[str] = "onboarding/contracts.html"
    company: str
    documents: tuple[DocumentView, ...]
    form: Form = EMPTY
    step: int = 2

    @property
    def open(self) -> tuple[DocumentView, ...]:
        """Those that still want a yes."""
        return tuple(d for d in self.documents if d.must_accept and d.accepted_at is None)

    @property
    def wanted(self) -> int:
        """How many are to be accepted in all."""
        return sum(d.must_accept for d in self.documents)


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One document, to read and print. `back` is the path of the list."""

    template: ClassVar[str] = "onboarding/document.html"
    document: DocumentView
    company: str
    back: str


StepState = Literal["todo", "active", "done", "failed"]


@dataclass(frozen=True, slots=True)
class PreparationStep:
    """One thing that has to happen; `took_s` when it has."""

    label: Text
    state: StepState
    took_s: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far the assistant is. Also the fragment that the page asks for each second."""

    template: ClassVar[str] = "onboarding/preparation.html"
    state: Literal["waiting", "ready", "failed"]
    steps: tuple[PreparationStep, ...]
    assistant: str
    problem: str | None = None
    step: int = 3

    @property
    def done(self) -> int:
        """Steps behind us."""
        return sum(s.state == "done" for s in self.steps)


@dataclass(frozen=True, slots=True)
class PreparationPart(Preparation):
    """The fragment alone."""

    template: ClassVar[str] = "onboarding/_preparation.html"
