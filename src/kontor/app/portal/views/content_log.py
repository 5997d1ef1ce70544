"""Pages of the content log."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from kontor.app.portal.frame import EMPTY, Form
from kontor.core.i18n import Text


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call, without what was said."""

    id: str
    at: datetime
    model: str
    status: int | None
    request_bytes: int
    answer_bytes: int
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class ContentLogPage:
    """How it stands; calls only for owners, who alone may switch and read. `days` are the choices."""

    template: ClassVar[str] = "company/content_log.html"
    notice: Text
    is_on: bool
    retention_days: int
    since: datetime | None
    entries: int
    days: tuple[int, ...]
    is_owner: bool
    calls: tuple[CallRow, ...] = ()
    form: Form = EMPTY
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class CallPage:
    """One call with what was said."""

    template: ClassVar[str] = "company/content_call.html"
    row: CallRow
    request: str
    answer: str
