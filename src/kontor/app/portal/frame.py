"""What stands around a page: who looks at it, for which company, in which language, and where they can go.

Owns the navigation. A page's own content is its view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from kontor.core.i18n import Lang, Text
from kontor.tenants.events import Suspension
from kontor.tenants.people.model import OperatorRole, Role

Tone = Literal["good", "warn", "bad", "accent"]

ALL: Final = frozenset(Role)
ADMINS: Final = frozenset({Role.OWNER, Role.ADMIN})
SPENDERS: Final = frozenset({Role.OWNER, Role.ADMIN, Role.BILLING})


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the side bar. `section` is what a frame names as the current one."""

    section: str
    path: str
    icon: str
    label: Text
    roles: frozenset[Role] = ALL


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Entries under a heading; the first group has none."""

    heading: Text | None
    items: tuple[NavItem, ...]


NAV: Final = (
    NavGroup(
        None,
        (
            NavItem("home", "/home", "home", Text(de="Übersicht", en="Overview")),
            NavItem("chat", "/chat", "chat", Text(de="Chat", en="Chat")),
            NavItem("conversations", "/conversations", "inbox", Text(de="Gespräche", en="Conversations")),
        ),
    ),
    NavGroup(
        Text(de="Zahlen", en="Numbers"),
        (
            NavItem("usage", "/usage", "chart", Text(de="Verbrauch", en="Usage")),
            NavItem("availability", "/availability", "pulse", Text(de="Verfügbarkeit", en="Availability")),
            NavItem("policy", "/policy", "seal", Text(de="Nutzungsregeln", en="Acceptable use")),
        ),
    ),
    NavGroup(
        Text(de="Einrichten", en="Set up"),
        (
            NavItem("assistant", "/assistant", "spark", Text(de="Assistent", en="Assistant")),
            NavItem("members", "/members", "people", Text(de="Team", en="Team")),
            NavItem("keys", "/keys", "key", Text(de="API-Schlüssel", en="API keys"), ADMINS),
            NavItem("gateway_keys", "/gateway-keys", "server", Text(de="Modellzugang", en="Model access"), ADMINS),
        ),
    ),
    NavGroup(
        Text(de="Unternehmen", en="Company"),
        (
            NavItem("company", "/company", "building", Text(de="Stammdaten", en="Company details")),
            NavItem("contracts", "/contracts", "paper", Text(de="Verträge", en="Contracts")),
            NavItem("content-log", "/content-log", "lock", Text(de="Inhaltsprotokoll", en="Content log")),
            NavItem("exports", "/exports", "download", Text(de="Datenexport", en="Data export"), ADMINS),
            NavItem("audit", "/audit", "list", Text(de="Protokoll", en="Audit log"), ADMINS),
        ),
    ),
)

OPS_NAV: Final = (
    NavItem("tenants", "/ops/tenants", "building", Text(de="Mandanten", en="Tenants")),
    NavItem("instances", "/ops/instances", "server", Text(de="Instanzen", en="Instances")),
)

ROLE_NAMES: Final[Mapping[str, Text]] = {
    Role.OWNER: Text(de="Inhaber", en="Owner"),
    Role.ADMIN: Text(de="Administrator", en="Administrator"),
    Role.BILLING: Text(de="Buchhaltung", en="Billing"),
    Role.VIEWER: Text(de="Nur lesen", en="Read only"),
}

ROLE_HINTS: Final[Mapping[str, Text]] = {
    Role.OWNER: Text(de="Alles, auch Kündigung und Löschung.", en="Everything, including leaving and deletion."),
    Role.ADMIN: Text(de="Assistent, Team, Schlüssel und Export.", en="Assistant, team, keys and export."),
    Role.BILLING: Text(de="Tarif, Verbrauch und Rechnungen.", en="Plan, usage and invoices."),
    Role.VIEWER: Text(de="Sieht alles, ändert nichts.", en="Sees everything, changes nothing."),
}


REASON_NAMES: Final[Mapping[str, Text]] = {
    Suspension.PAYMENT_OVERDUE: Text(de="Zahlung überfällig", en="Payment overdue"),
    Suspension.ACCEPTABLE_USE: Text(de="Nutzungsrichtlinie", en="Acceptable use"),
    Suspension.OPERATOR: Text(de="Entscheidung des Betreibers", en="Operator's decision"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in."""

    email: str

    @property
    def initial(self) -> str:
        """One letter."""
        return self.email[:1].upper()


@dataclass(frozen=True, slots=True)
class Membership:
    """A company that the person may switch to; `tenant` is the id's text."""

    tenant: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence above the page: what has just happened, or what must be known."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Around every page. `path` is the page's own address, to come back to after a change of language.

    `current` is the company that is worked in, None before there is one. `waiting` counts conversations that wait for a
    human. `seller` is the operator's legal name for footers and disclosures.
    """

    lang: Lang
    path: str
    seller: str
    section: str = ""
    person: Person | None = None
    current: Membership | None = None
    memberships: tuple[Membership, ...] = ()
    operator: OperatorRole | None = None
    waiting: int = 0
    notices: tuple[Notice, ...] = ()

    @property
    def nav(self) -> tuple[NavGroup, ...]:
        """What the role may see."""
        if self.current is None:
            return ()
        role = self.current.role
        groups = (NavGroup(g.heading, tuple(i for i in g.items if role in i.roles)) for g in NAV)
        return tuple(group for group in groups if group.items)

    def may(self, *roles: str) -> bool:
        """True for one of these roles in the current company."""
        return self.current is not None and self.current.role in roles


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a field."""

    value: str
    label: Text
    hint: Text | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed and what is wrong with it, field by field; `problem` belongs to the form as a whole."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def value(self, name: str, otherwise: str = "") -> str:
        """What stands in the field."""
        return self.values.get(name, otherwise)

    def error(self, name: str) -> str | None:
        """What is wrong with it."""
        return self.errors.get(name)


EMPTY: Final = Form()
