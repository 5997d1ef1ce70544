"""Pages about the company: members, keys, contracts, exports, details, leaving, audit log."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Literal

from kontor.app.portal.frame import EMPTY, Choice, Form
from kontor.app.portal.views.onboarding import DocumentView
from kontor.billing.metering.budgets.standing import Standing
from kontor.core.i18n import Text


@dataclass(frozen=True, slots=True)
class Turns:
    """Messages to the assistant that were counted, of how many; None: of any number."""

    today: int = 0
    per_day: int | None = None
    this_month: int = 0
    per_month: int | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member. `is_me` cannot remove itself here."""

    id: str
    email: str
    role: str
    since: datetime
    is_me: bool
    turns: Turns = Turns()


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation that nobody has accepted yet."""

    id: str
    email: str
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Members:
    """Members and invitations, never more than seats. `taken` are those in use; an invitation holds one."""

    template: ClassVar[str] = "company/members.html"
    members: tuple[MemberRow, ...]
    invitations: tuple[InvitationRow, ...]
    seats: int
    may_edit: bool
    form: Form = EMPTY
    taken: int = 0


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key; its secret is not kept."""

    id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    turns: Turns = Turns()


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys. `secret` is the new key's, shown this once."""

    template: ClassVar[str] = "company/keys.html"
    keys: tuple[KeyRow, ...]
    scopes: tuple[Choice, ...]
    base_url: str
    secret: str | None = None
    form: Form = EMPTY
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """The limits of one member or key, called `name`; the form goes to `path`."""

    template: ClassVar[str] = "company/turn_limits.html"
    name: str
    of: Literal["member", "key"]
    path: str
    turns: Turns
    revision: int
    may_edit: bool
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class GatewayKeyRow:
    """A key for a program that calls models; `last_day` is the last on which it works, `day` a cap of the day."""

    id: str
    name: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    last_day: date | None
    has_expired: bool
    revoked_at: datetime | None
    month: Standing
    day: Standing | None


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """Keys of the company's programs for the gateway at `base_url`. `secret` is the new key's, shown this once."""

    template: ClassVar[str] = "company/gateway_keys.html"
    keys: tuple[GatewayKeyRow, ...]
    base_url: str
    models: tuple[str, ...]
    secret: str | None = None
    form: Form = EMPTY
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ContractList:
    """What was agreed, and when."""

    template: ClassVar[str] = "company/contracts.html"
    documents: tuple[DocumentView, ...]


ExportState = Literal["queued", "running", "ready", "failed", "expired"]


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export; `percent` while it runs, `size_bytes` and `sha256` when it is ready."""

    id: str
    state: ExportState
    percent: int
    asked_at: datetime
    ready_at: datetime | None = None
    expires_at: datetime | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Exports:
    """All exports, newest first."""

    template: ClassVar[str] = "company/exports.html"
    exports: tuple[ExportRow, ...]
    next_cursor: str | None = None

    @property
    def is_running(self) -> bool:
        """One is on its way: ask again soon."""
        return any(one.state in ("queued", "running") for one in self.exports)


@dataclass(frozen=True, slots=True)
class ExportsPart(Exports):
    """The list alone, asked for while one runs."""

    template: ClassVar[str] = "company/_exports.html"


@dataclass(frozen=True, slots=True)
class CompanyPage:
    """Details and plan. What the contracts name changes only with a new contract."""

    template: ClassVar[str] = "company/company.html"
    id: str
    legal_name: str
    address: tuple[str, ...]
    country: Text
    industry: Text
    use_case: str
    residency: Text
    residency_promise: Text
    plan: str
    is_pilot: bool
    seats: int
    retention_days: int
    retentions: tuple[int, ...]
    revision: int
    since: datetime
    may_edit: bool
    may_leave: bool
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class Leave:
    """Ending it all: the company's name is typed to confirm."""

    template: ClassVar[str] = "company/leave.html"
    company: str
    has_export: bool
    conversations: int
    members: int
    form: Form = EMPTY


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was measured after the erasure: how much of it is left."""

    label: Text
    left: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is left, as measured at the end; public under an address that cannot be guessed."""

    template: ClassVar[str] = "company/receipt.html"
    id: str
    state: Literal["running", "done"]
    asked_at: datetime
    finished_at: datetime | None
    proofs: tuple[Proof, ...]
    path: str


@dataclass(frozen=True, slots=True)
class ReceiptPart(Receipt):
    """The receipt's body alone, asked for while the erasure runs."""

    template: ClassVar[str] = "company/_receipt.html"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry of the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str | None
    hash: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Who did what, newest first; `is_intact` says whether the chain was verified."""

    template: ClassVar[str] = "company/audit.html"
    rows: tuple[AuditRow, ...]
    is_intact: bool
    verified_at: datetime
    next_cursor: str | None = None
