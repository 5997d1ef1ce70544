"""Pages before a login: landing, sign-up, links by mail, login, legal pages, errors."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal

from markupsafe import Markup

from kontor.app.portal.frame import EMPTY, Form
from kontor.billing.plans import PriceList
from kontor.core.i18n import Text


@dataclass(frozen=True, slots=True)
class Landing:
    """The first page, with the form of the sign-up."""

    template: ClassVar[str] = "public/landing.html"
    prices: PriceList
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class SignUpPage:
    """The form alone, and again with what is wrong."""

    template: ClassVar[str] = "public/sign_up.html"
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class CheckMail:
    """A mail is on its way, or would be: the same for known and unknown addresses. `outbox` only on one machine."""

    template: ClassVar[str] = "public/check_mail.html"
    email: str
    why: Literal["verify", "reset"]
    outbox: str | None = None


@dataclass(frozen=True, slots=True)
class Verify:
    """A button, because scanners of mail open links: only a person presses it."""

    template: ClassVar[str] = "public/verify.html"
    token: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LoginPage:
    """E-mail and password. `next` is our own path to go on to; `demo` fills in the demonstration's login."""

    template: ClassVar[str] = "public/login.html"
    form: Form = EMPTY
    next: str = ""


@dataclass(frozen=True, slots=True)
class TotpPage:
    """The second step of an operator's login."""

    template: ClassVar[str] = "public/totp.html"
    form: Form = EMPTY
    next: str = ""


@dataclass(frozen=True, slots=True)
class Forgot:
    """Asks for the address that a link goes to."""

    template: ClassVar[str] = "public/forgot.html"
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class Reset:
    """A new password, by a link."""

    template: ClassVar[str] = "public/reset.html"
    token: str
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """Somebody was invited. A new person chooses a password, which `needs_password` says; a known one types its own."""

    template: ClassVar[str] = "public/invitation.html"
    token: str
    company: str
    role: str
    email: str
    needs_password: bool
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class Imprint:
    """Who runs this (§ 5 DDG). `address` in lines."""

    template: ClassVar[str] = "legal/imprint.html"
    legal_name: str
    address: tuple[str, ...]
    represented_by: str
    register_entry: str
    vat_ids: tuple[str, ...]
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Privacy:
    """What we do with the data of visitors and account holders (Art. 13 GDPR)."""

    template: ClassVar[str] = "legal/privacy.html"
    legal_name: str
    address: tuple[str, ...]
    email: str
    dpo_name: str
    dpo_email: str


@dataclass(frozen=True, slots=True)
class Terms:
    """The general terms, as they stand today."""

    template: ClassVar[str] = "legal/terms.html"
    title: str
    version: str
    html: Markup


@dataclass(frozen=True, slots=True)
class SubProcessor:
    """Who processes content for the operator."""

    legal_entity: str
    seat: Text
    region: Text
    purpose: Text
    transfer_basis: Text


@dataclass(frozen=True, slots=True)
class SubProcessors:
    """The public list, by data residency."""

    template: ClassVar[str] = "legal/sub_processors.html"
    as_of: date
    rows: tuple[SubProcessor, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error page: what happened, what to do. `request` is the id to tell us."""

    template: ClassVar[str] = "errors/failure.html"
    status: int
    sentence: str | None = None
    request: str | None = None
    retry_after_s: int | None = None
