"""Who may use which route: the expectation that the isolation test holds against the application.

`ids` names the path's parameters by kind of object; the test fills in ids of the other tenant's own objects, so that
404 means "not yours" and not "no such id".
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EVERYONE = frozenset({"owner", "admin", "billing", "viewer"})
ADMINS = frozenset({"owner", "admin"})
OWNER = frozenset({"owner"})
NOT_VIEWERS = EVERYONE - {"viewer"}
ULID = "01h455vb4pex5vsknk084sn02q"


class Access(StrEnum):
    """Whom a route is for."""

    PUBLIC = "public"
    """Anybody."""
    PAGE = "page"
    """A page of the portal for whoever is logged in; others are sent to the login."""
    PERSON = "person"
    """Whoever is logged in, with or without a company; shows and changes only the person's own."""
    MEMBER = "member"
    """Members of the active company, by role; API keys by scope."""
    STAFF = "staff"
    """A page of the operator's console; to customers it does not exist, others are sent to the login."""
    OPERATOR = "operator"
    """The operator's staff with a second factor; to all others it does not exist."""


@dataclass(frozen=True)
class Entry:
    """One route. `scope` is the API key's scope that opens it; `ids` path parameter -> object; `body` is JSON."""

    access: Access
    roles: frozenset[str] = EVERYONE
    scope: str | None = None
    body: Any = None
    form: dict[str, str] | None = None
    ids: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    own_rows_only: bool = False
    """With other ids nothing is refused because the answer is limited to the caller's own (or nothing happens)."""


PUBLIC = Entry(Access.PUBLIC)
PERSON = Entry(Access.PERSON)
PAGE = Entry(Access.PAGE)
KIND = {"kind": "=terms"}
SESSION = {"session_id": "session"}
CONVERSATION = {"conversation_id": "conversation"}
MEMBERSHIP = {"membership_id": "membership"}
ENTRY = {"entry_id": "entry"}
TOKEN = {"token": "x" * 43}
COMPLETION = {"model": "assistant", "messages": [{"role": "user", "content": "Hallo"}]}
SIGNATURE = {"kind": "terms", "version": "2026-11", "language": "de", "sha256": "0" * 64}


def member(roles: frozenset[str] = EVERYONE, scope: str | None = None, **more: Any) -> Entry:
    """A route of the active company."""
    return Entry(Access.MEMBER, roles, scope, **more)


OPERATOR = Entry(Access.OPERATOR)
STAFF = Entry(Access.STAFF)


def staff(**more: Any) -> Entry:
    """A page of the operator's about one tenant."""
    return Entry(Access.STAFF, ids={"tenant_id": "tenant"}, **more)


def operator(**more: Any) -> Entry:
    """A route of the operator's about one tenant."""
    return Entry(Access.OPERATOR, ids={"tenant_id": "tenant"}, **more)


ROUTES: dict[tuple[str, str], Entry] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/api/v1/openapi.json"): PUBLIC,
    ("MOUNT", "/static"): PUBLIC,
    ("GET", "/"): PUBLIC,
    ("GET", "/sign-up"): PUBLIC,
    ("POST", "/sign-up"): PUBLIC,
    ("GET", "/verify"): PUBLIC,
    ("POST", "/verify"): PUBLIC,
    ("GET", "/login"): PUBLIC,
    ("POST", "/login"): PUBLIC,
    ("POST", "/logout"): PUBLIC,
    ("GET", "/forgot"): PUBLIC,
    ("POST", "/forgot"): PUBLIC,
    ("GET", "/reset"): PUBLIC,
    ("POST", "/reset"): PUBLIC,
    ("POST", "/language"): PUBLIC,
    ("GET", "/imprint"): PUBLIC,
    ("GET", "/privacy"): PUBLIC,
    ("GET", "/terms"): PUBLIC,
    ("GET", "/sub-processors"): PUBLIC,
    ("GET", "/invitation"): PUBLIC,
    ("POST", "/invitation"): PUBLIC,
    ("GET", "/receipts/{erasure_id}"): Entry(Access.PUBLIC, ids={"erasure_id": "erasure"}),
    ("GET", "/home"): PAGE,
    ("GET", "/onboarding/company"): PAGE,
    ("GET", "/onboarding/quote"): PAGE,
    ("POST", "/onboarding/company"): PAGE,
    ("GET", "/onboarding/contracts"): PAGE,
    ("POST", "/onboarding/contracts"): Entry(Access.PAGE, OWNER),
    ("GET", "/onboarding/contracts/{kind}"): Entry(Access.PAGE, ids=KIND),
    ("GET", "/onboarding/contracts/{kind}.pdf"): Entry(Access.PAGE, ids=KIND),
    ("GET", "/onboarding/progress"): PAGE,
    ("POST", "/onboarding/retry"): Entry(Access.PAGE, ADMINS),
    ("POST", "/tenant"): PAGE,
    ("GET", "/chat"): PAGE,
    ("POST", "/chat"): PAGE,
    ("POST", "/chat/new"): PAGE,
    ("GET", "/assistant"): PAGE,
    ("POST", "/assistant"): Entry(Access.PAGE, ADMINS),
    ("POST", "/assistant/retry"): Entry(Access.PAGE, ADMINS),
    ("GET", "/conversations"): PAGE,
    ("GET", "/conversations/{conversation_id}"): Entry(Access.PAGE, ADMINS, ids=CONVERSATION),
    ("POST", "/conversations/{conversation_id}/reply"): Entry(Access.PAGE, ADMINS, ids=CONVERSATION),
    ("POST", "/conversations/{conversation_id}/hand-back"): Entry(Access.PAGE, ADMINS, ids=CONVERSATION),
    ("GET", "/usage"): PAGE,
    ("GET", "/usage.csv"): PAGE,
    ("POST", "/usage/caps"): Entry(Access.PAGE, NOT_VIEWERS),
    ("GET", "/availability"): PAGE,
    ("GET", "/policy"): PAGE,
    ("GET", "/members"): PAGE,
    ("POST", "/members/invite"): Entry(Access.PAGE, ADMINS),
    ("POST", "/members/{membership_id}/role"): Entry(Access.PAGE, ADMINS, ids=MEMBERSHIP, form={"role": "viewer"}),
    ("GET", "/members/{membership_id}/turns"): Entry(Access.PAGE, ADMINS, ids=MEMBERSHIP),
    ("POST", "/members/{membership_id}/turns"): Entry(Access.PAGE, ADMINS, ids=MEMBERSHIP, form={"revision": "1"}),
    ("POST", "/members/{membership_id}/remove"): Entry(Access.PAGE, ADMINS, ids=MEMBERSHIP),
    ("POST", "/invitations/{invitation_id}/revoke"): Entry(Access.PAGE, ADMINS, ids={"invitation_id": "invitation"}),
    ("GET", "/keys"): Entry(Access.PAGE, ADMINS),
    ("POST", "/keys"): Entry(Access.PAGE, ADMINS),
    ("POST", "/keys/{key_id}/revoke"): Entry(Access.PAGE, ADMINS, ids={"key_id": "api_key"}),
    ("GET", "/keys/{key_id}/turns"): Entry(Access.PAGE, ADMINS, ids={"key_id": "api_key"}),
    ("POST", "/keys/{key_id}/turns"): Entry(Access.PAGE, ADMINS, ids={"key_id": "api_key"}, form={"revision": "1"}),
    ("GET", "/gateway-keys"): Entry(Access.PAGE, ADMINS),
    ("POST", "/gateway-keys"): Entry(Access.PAGE, ADMINS),
    ("POST", "/gateway-keys/{key_id}/revoke"): Entry(Access.PAGE, ADMINS, ids={"key_id": "gateway_key"}),
    ("GET", "/company"): PAGE,
    ("POST", "/company"): Entry(Access.PAGE, ADMINS),
    ("GET", "/contracts"): PAGE,
    ("GET", "/contracts/{kind}"): Entry(Access.PAGE, ids=KIND),
    ("GET", "/contracts/{kind}.pdf"): Entry(Access.PAGE, ids=KIND),
    ("GET", "/audit"): Entry(Access.PAGE, ADMINS),
    ("GET", "/content-log"): PAGE,
    ("POST", "/content-log"): Entry(Access.PAGE, OWNER),
    ("POST", "/content-log/off"): Entry(Access.PAGE, OWNER),
    ("POST", "/content-log/delete"): Entry(Access.PAGE, OWNER),
    ("GET", "/content-log/download"): Entry(Access.PAGE, OWNER),
    ("GET", "/content-log/{entry_id}"): Entry(Access.PAGE, OWNER, ids=ENTRY),
    ("GET", "/exports"): Entry(Access.PAGE, ADMINS),
    ("POST", "/exports"): Entry(Access.PAGE, ADMINS),
    ("GET", "/exports/{export_id}/file"): Entry(Access.PAGE, ADMINS, ids={"export_id": "export"}),
    ("GET", "/leave"): Entry(Access.PAGE, OWNER),
    ("POST", "/leave"): Entry(Access.PAGE, OWNER),
    ("GET", "/account"): PAGE,
    ("POST", "/account/password"): PAGE,
    ("POST", "/account/sessions/{session_id}/end"): Entry(Access.PAGE, ids=SESSION, own_rows_only=True),
    ("GET", "/login/totp"): PAGE,
    ("POST", "/login/totp"): PAGE,
    ("GET", "/ops/tenants"): STAFF,
    ("GET", "/ops/tenants/{tenant_id}"): staff(),
    ("POST", "/ops/tenants/{tenant_id}/suspend"): staff(),
    ("POST", "/ops/tenants/{tenant_id}/resume"): staff(),
    ("POST", "/ops/tenants/{tenant_id}/retry"): staff(),
    ("POST", "/ops/tenants/{tenant_id}/delete"): staff(),
    ("POST", "/ops/tenants/{tenant_id}/budget"): staff(form={"cap_eur": "1"}),
    ("GET", "/ops/instances"): STAFF,
    ("POST", "/api/v1/signups"): PUBLIC,
    ("POST", "/api/v1/signups/confirmation"): PUBLIC,
    ("POST", "/api/v1/sessions"): PUBLIC,
    ("POST", "/api/v1/password-resets"): PUBLIC,
    ("POST", "/api/v1/password-resets/confirmation"): PUBLIC,
    ("POST", "/api/v1/invitations/lookup"): PUBLIC,
    ("POST", "/api/v1/invitations/acceptance"): PUBLIC,
    ("POST", "/api/v1/sessions/current/second-factor"): Entry(Access.PERSON, body={"code": "123456"}),
    ("DELETE", "/api/v1/sessions/current"): PERSON,
    ("GET", "/api/v1/sessions"): PERSON,
    ("DELETE", "/api/v1/sessions/{session_id}"): Entry(Access.PERSON, ids=SESSION, own_rows_only=True),
    ("GET", "/api/v1/me"): PERSON,
    ("POST", "/api/v1/me/password"): Entry(Access.PERSON, body={"old": "x", "new": "xxxxxxxxxx"}),
    ("PUT", "/api/v1/me/active-tenant"): Entry(Access.PERSON, body={"tenant_id": f"tnt_{ULID}"}),
    ("POST", "/api/v1/tenants"): Entry(Access.PERSON, body={}),
    ("GET", "/api/v1/tenant"): member(scope="read"),
    ("PATCH", "/api/v1/tenant"): member(ADMINS, body={"city": "Ulm"}, headers={"if-match": '"1"'}),
    ("GET", "/api/v1/contracts"): member(),
    ("POST", "/api/v1/contracts/acceptances"): member(OWNER, body={"documents": [SIGNATURE]}),
    ("GET", "/api/v1/contracts/{kind}"): member(ids={"kind": "=terms"}, own_rows_only=True),
    ("GET", "/api/v1/contracts/{kind}/pdf"): member(ids={"kind": "=terms"}, own_rows_only=True),
    ("GET", "/api/v1/contracts/{kind}/accepted"): member(ids={"kind": "=terms"}, own_rows_only=True),
    ("GET", "/api/v1/members"): member(),
    ("PATCH", "/api/v1/members/{membership_id}"): member(
        ADMINS, body={"role": "viewer"}, ids={"membership_id": "membership"}
    ),
    ("DELETE", "/api/v1/members/{membership_id}"): member(ADMINS, ids={"membership_id": "membership"}),
    ("GET", "/api/v1/members/{membership_id}/turn-limits"): member(ADMINS, ids=MEMBERSHIP),
    ("PUT", "/api/v1/members/{membership_id}/turn-limits"): member(
        ADMINS, body={"per_day": 5, "per_month": None}, ids=MEMBERSHIP, headers={"if-match": '"1"'}
    ),
    ("GET", "/api/v1/invitations"): member(ADMINS),
    ("POST", "/api/v1/invitations"): member(ADMINS, body={"email": "new@example.org", "role": "viewer"}),
    ("DELETE", "/api/v1/invitations/{invitation_id}"): member(ADMINS, ids={"invitation_id": "invitation"}),
    ("GET", "/api/v1/api-keys"): member(ADMINS),
    ("POST", "/api/v1/api-keys"): member(ADMINS, body={"name": "k", "scopes": ["read"]}),
    ("DELETE", "/api/v1/api-keys/{key_id}"): member(ADMINS, ids={"key_id": "api_key"}),
    ("GET", "/api/v1/api-keys/{key_id}/turn-limits"): member(ADMINS, ids={"key_id": "api_key"}),
    ("PUT", "/api/v1/api-keys/{key_id}/turn-limits"): member(
        ADMINS, body={"per_day": 5, "per_month": None}, ids={"key_id": "api_key"}, headers={"if-match": '"1"'}
    ),
    ("GET", "/api/v1/gateway-keys"): member(ADMINS),
    ("POST", "/api/v1/gateway-keys"): member(ADMINS, body={"name": "k"}),
    ("DELETE", "/api/v1/gateway-keys/{key_id}"): member(ADMINS, ids={"key_id": "gateway_key"}),
    ("GET", "/api/v1/budget"): member(scope="usage"),
    ("PUT", "/api/v1/budget"): member(
        NOT_VIEWERS, body={"cap_eur": None, "day_cap_eur": None}, headers={"if-match": '"1"'}
    ),
    ("POST", "/api/v1/chat/completions"): member(scope="chat", body=COMPLETION),
    ("GET", "/api/v1/conversations"): member(scope="read"),
    ("GET", "/api/v1/conversations/{conversation_id}"): member(scope="read", ids={"conversation_id": "conversation"}),
    ("GET", "/api/v1/conversations/{conversation_id}/messages"): member(
        scope="read", ids={"conversation_id": "conversation"}
    ),
    ("POST", "/api/v1/conversations/{conversation_id}/replies"): member(
        ADMINS, body={"content": "Guten Tag"}, ids={"conversation_id": "conversation"}
    ),
    ("POST", "/api/v1/conversations/{conversation_id}/handback"): member(
        ADMINS, ids={"conversation_id": "conversation"}
    ),
    ("DELETE", "/api/v1/conversations/{conversation_id}"): member(ADMINS, ids={"conversation_id": "conversation"}),
    ("GET", "/api/v1/assistant"): member(scope="read"),
    ("PATCH", "/api/v1/assistant"): member(
        ADMINS, scope="admin", body={"display_name": "Ada"}, headers={"if-match": '"1"'}
    ),
    ("POST", "/api/v1/assistant/retry"): member(ADMINS, scope="admin"),
    ("POST", "/api/v1/assistant/hibernation"): member(ADMINS, scope="admin"),
    ("POST", "/api/v1/assistant/wake-up"): member(ADMINS, scope="admin"),
    ("GET", "/api/v1/audit"): member(ADMINS),
    ("GET", "/api/v1/ops/tenants"): OPERATOR,
    ("GET", "/api/v1/ops/instances"): OPERATOR,
    ("GET", "/api/v1/ops/tenants/{tenant_id}"): operator(),
    ("POST", "/api/v1/ops/tenants/{tenant_id}/suspension"): operator(body={"why": "operator"}),
    ("DELETE", "/api/v1/ops/tenants/{tenant_id}/suspension"): operator(),
    ("POST", "/api/v1/ops/tenants/{tenant_id}/retry"): operator(),
    ("DELETE", "/api/v1/ops/tenants/{tenant_id}"): operator(),
    ("GET", "/api/v1/ops/tenants/{tenant_id}/budget"): operator(),
    ("PUT", "/api/v1/ops/tenants/{tenant_id}/budget"): operator(body={"cap_eur": "1.00"}),
    ("GET", "/api/v1/ops/usage"): OPERATOR,
    ("GET", "/api/v1/usage"): member(scope="usage"),
    ("GET", "/api/v1/usage.csv"): member(scope="usage"),
    ("GET", "/api/v1/policy-hits"): member(scope="usage"),
    ("GET", "/api/v1/ops/policy-hits"): OPERATOR,
    ("GET", "/api/v1/content-log"): member(),
    ("PUT", "/api/v1/content-log"): member(OWNER, body={"is_on": False}),
    ("GET", "/api/v1/content-log/entries"): member(OWNER),
    ("DELETE", "/api/v1/content-log/entries"): member(OWNER),
    ("GET", "/api/v1/content-log/entries/{entry_id}"): member(OWNER, ids=ENTRY),
    ("GET", "/api/v1/content-log/download"): member(OWNER),
    ("GET", "/api/v1/sla"): member(scope="read"),
    ("GET", "/api/v1/sla/days"): member(scope="read"),
    ("POST", "/api/v1/exports"): member(ADMINS, scope="export"),
    ("POST", "/api/v1/export"): member(ADMINS, scope="export"),
    ("POST", "/api/export"): member(ADMINS, scope="export"),
    ("GET", "/api/v1/exports"): member(ADMINS, scope="export"),
    ("GET", "/api/v1/exports/{export_id}"): member(ADMINS, scope="export", ids={"export_id": "export"}),
    ("GET", "/api/v1/exports/{export_id}/download"): member(ADMINS, scope="export", ids={"export_id": "export"}),
    ("DELETE", "/api/v1/tenant"): member(OWNER, body={"confirm": "not its name"}),
    ("GET", "/api/v1/erasures/{erasure_id}"): PUBLIC,  # only for who holds the receipt's token
}
