"""What the gateway says itself, in the form that OpenAI's clients and OpenClaw read. Pure.

OpenClaw refuses its provider for minutes, even across restarts, after 401, 402, 403 or a text about quota; so an
instance is refused by an ordinary assistant message with status 200, or by 400 `invalid_request_error`. Programs of a
tenant get proper statuses. Errors are problem documents (RFC 9457) that also carry OpenAI's `error` object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from kontor.billing.metering.budgets.periods import Period
from kontor.core.i18n import Lang, Text

JSON: Final = b"application/json"
SSE: Final = b"text/event-stream; charset=utf-8"
PROBLEM: Final = b"application/problem+json"

SUSPENDED: Final = Text(
    de="Dieser Assistent ist derzeit nicht verfügbar. Bitte wenden Sie sich an Ihr Unternehmen.",
    en="This assistant is currently not available. Please contact your company.",
)
PROVIDER_DOWN: Final = Text(
    de="Ich kann gerade nicht antworten, weil mein Sprachmodell nicht erreichbar ist. "
    "Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    en="I cannot answer just now because my language model cannot be reached. Please try again in a few minutes.",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer: status, stable code, and a sentence that says what to do."""

    status: int
    code: str
    text: Text
    retry_after_s: int | None = None


KEY_MISSING: Final = Refusal(
    401,
    "gateway.key_missing",
    Text(
        de="Es fehlt ein Schlüssel. Senden Sie ihn als „Authorization: Bearer kgw_…“.",
        en="A key is missing. Send it as 'Authorization: Bearer kgw_...'.",
    ),
)
KEY_UNKNOWN: Final = Refusal(
    401,
    "gateway.key_unknown",
    Text(de="Dieser Schlüssel ist nicht (mehr) gültig.", en="This key is not valid (any more)."),
)
KEY_REVOKED: Final = Refusal(400, "gateway.key_revoked", KEY_UNKNOWN.text)
KEY_UNASSIGNED: Final = Refusal(
    400,
    "gateway.key_unassigned",
    Text(de="Diese Instanz gehört noch zu keinem Mandanten.", en="This instance belongs to no tenant yet."),
)
RESIDENCY_NOT_SERVED: Final = Refusal(
    403,
    "gateway.residency",
    Text(
        de=(
            "Für den gewählten Datenstandort ist gerade kein Modell verfügbar. Bitte wenden Sie sich an "
            "Ihren Ansprechpartner."
        ),
        en="No model is available for the chosen data residency just now. Please contact your provider.",
    ),
)
KEY_SUSPENDED: Final = Refusal(403, "gateway.suspended", SUSPENDED)
NOT_FOUND: Final = Refusal(
    404,
    "gateway.no_such_route",
    Text(
        de="Das gibt es hier nicht. Angeboten werden POST /v1/chat/completions, /v1/responses, /v1/messages "
        "und /v1/embeddings sowie GET /v1/models.",
        en="There is no such thing here. Offered are POST /v1/chat/completions, /v1/responses, /v1/messages and "
        "/v1/embeddings, and GET /v1/models.",
    ),
)
METHOD: Final = Refusal(
    405, "gateway.method", Text(de="Diese Methode gibt es hier nicht.", en="This method does not exist here.")
)
PROVIDER_FAILED: Final = Refusal(503, "gateway.provider_unavailable", PROVIDER_DOWN, retry_after_s=10)
BROKEN: Final = Refusal(
    400,
    "gateway.broken_http",
    Text(
        de="Die Anfrage ist kein eindeutiges HTTP/1.1. Die Verbindung wird geschlossen.",
        en="The request is not unambiguous HTTP/1.1. The connection is closed.",
    ),
)
TOO_SLOW: Final = Refusal(
    408,
    "gateway.request_timeout",
    Text(
        de="Die Anfrage kam nicht vollständig an. Bitte senden Sie sie noch einmal.",
        en="The request did not arrive completely. Please send it again.",
    ),
)
TARGET_TOO_LONG: Final = Refusal(
    414,
    "gateway.target_too_long",
    Text(de="Die Adresse der Anfrage ist zu lang.", en="The request's address is too long."),
)
HEAD_TOO_LARGE: Final = Refusal(
    431,
    "gateway.head_too_large",
    Text(
        de="Die Kopfzeilen der Anfrage sind zu groß oder zu viele. Senden Sie weniger.",
        en="The request's header fields are too large or too many. Send fewer.",
    ),
)
OUR_FAULT: Final = Refusal(
    500,
    "gateway.internal",
    Text(
        de="Das ist unser Fehler; wir sehen ihn uns an. Bitte versuchen Sie es später noch einmal.",
        en="This is our fault; we are looking into it. Please try again later.",
    ),
)
PROHIBITED: Final = Refusal(
    403,
    "gateway.prohibited",
    Text(
        de="Dabei kann ich nicht helfen: Das verbieten die Nutzungsregeln. Wenn das ein Irrtum ist, formulieren Sie "
        "die Frage bitte anders oder schreiben Sie MENSCH.",
        en="I cannot help with that: the acceptable-use policy prohibits it. If this is a mistake, please rephrase "
        "your question or write HUMAN.",
    ),
)
UNPRICED: Final = Refusal(
    403,
    "gateway.unpriced",
    Text(
        de="Für dieses Modell steht noch kein Preis fest. Bitte wenden Sie sich an Ihren Ansprechpartner.",
        en="There is no price for this model yet. Please contact your provider.",
    ),
)


def exhausted(period: Period) -> Refusal:
    """The budget of this period is used up."""
    return Refusal(402, "gateway.budget_exhausted", _EXHAUSTED[period])


def too_fast(retry_after_s: int) -> Refusal:
    """The minute's requests or tokens are used up."""
    return Refusal(
        429,
        "gateway.rate_limited",
        Text(
            de="Gerade kommen zu viele Anfragen auf einmal. Bitte versuchen Sie es in einer Minute noch einmal.",
            en="Too many requests are coming in at once. Please try again in a minute.",
        ),
        retry_after_s,
    )


def too_large(most_bytes: int) -> Refusal:
    """The body is longer than we take."""
    most_mb = most_bytes // 1_000_000
    return Refusal(
        413,
        "gateway.too_large",
        Text(
            de=f"Die Anfrage ist zu groß; erlaubt sind {most_mb} MB. Senden Sie weniger Text oder kleinere Bilder.",
            en=f"The request is too large; {most_mb} MB are allowed. Send less text or smaller images.",
        ),
    )


def not_understood(why: str) -> Refusal:
    """The body is no request that we understand; `why` is a sentence in English, as the field names are."""
    return Refusal(400, "gateway.invalid_request", Text(de=why, en=why))


def model_unknown(*, is_instance: bool) -> Refusal:
    """There is no model of that name. To an assistant that is a fault of whoever set it up."""
    if is_instance:
        return Refusal(400, "gateway.model_unknown", _NOT_SET_UP)
    return Refusal(
        404,
        "gateway.model_unknown",
        Text(
            de="Dieses Modell gibt es hier nicht. GET /v1/models nennt die erlaubten.",
            en="There is no such model here. GET /v1/models lists the allowed ones.",
        ),
    )


def dialect_not_spoken(*, is_instance: bool) -> Refusal:
    """The model exists, but not for this route. An assistant asks in another one as soon as it has been told to."""
    if is_instance:
        return Refusal(400, "gateway.dialect_not_spoken", _BEING_CHANGED)
    return Refusal(
        404,
        "gateway.dialect_not_spoken",
        Text(
            de="Dieses Modell gibt es nicht über diese Schnittstelle. Versuchen Sie POST /v1/chat/completions.",
            en="This model is not available through this API. Try POST /v1/chat/completions.",
        ),
    )


def openai_problem(refusal: Refusal, lang: Lang) -> bytes:
    """The body of an error answer: a problem document that is also OpenAI's error object."""
    sentence = refusal.text(lang)
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": TITLES.get(refusal.status, "Error"),
            "status": refusal.status,
            "code": refusal.code,
            "detail": sentence,
            "error": {"message": sentence, "type": _kind(refusal.status), "param": None, "code": refusal.code},
        }
    )


def models(names: list[str], created: int) -> bytes:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "kontor"} for name in names]
    return orjson.dumps({"object": "list", "data": data})


_NOT_SET_UP: Final = Text(
    de="Für diesen Assistenten ist gerade kein Sprachmodell eingerichtet. Bitte wenden Sie sich an Ihren "
    "Ansprechpartner.",
    en="No language model is set up for this assistant just now. Please contact your provider.",
)
_BEING_CHANGED: Final = Text(
    de="Mein Sprachmodell wird gerade gewechselt. Bitte versuchen Sie es in einer Minute noch einmal.",
    en="My language model is being changed just now. Please try again in a minute.",
)
_EXHAUSTED: Final[Mapping[Period, Text]] = {
    "day": Text(
        de="Das Budget für heute ist aufgebraucht. Morgen bin ich wieder da; wer mehr braucht, wendet sich an die "
        "Verantwortlichen im Unternehmen.",
        en="Today's budget is used up. I will be back tomorrow; if you need more, contact those responsible in your "
        "company.",
    ),
    "month": Text(
        de="Das Budget für diesen Monat ist aufgebraucht. Bitte wenden Sie sich an die Verantwortlichen im "
        "Unternehmen.",
        en="This month's budget is used up. Please contact those responsible in your company.",
    ),
    "total": Text(
        de="Das Budget der Pilotphase ist aufgebraucht. Bitte wenden Sie sich an die Verantwortlichen im Unternehmen.",
        en="The budget of the pilot is used up. Please contact those responsible in your company.",
    ),
}
CUT: Final = Text(
    de="Die Antwort wurde unterbrochen. Bitte stellen Sie die Frage noch einmal.",
    en="The answer was interrupted. Please ask again.",
)
TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    402: "Payment Required",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def _kind(status: int) -> str:
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        return "authentication_error"
    if status == 403:  # noqa: PLR2004
        return "permission_error"
    if status in {402, 429}:
        return "insufficient_quota" if status == 402 else "rate_limit_error"  # noqa: PLR2004
    return "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004
