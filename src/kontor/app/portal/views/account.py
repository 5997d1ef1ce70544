"""A person's own page: password, sessions, language."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from kontor.app.portal.frame import EMPTY, Form


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A login. `device` is what its browser calls itself, shortened."""

    id: str
    device: str
    address: str
    since: datetime
    last_seen_at: datetime
    is_this: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Language, password, sessions."""

    template: ClassVar[str] = "account/account.html"
    email: str
    sessions: tuple[SessionRow, ...]
    form: Form = EMPTY
