"""Refusals: what kind, which stable code, and a sentence that tells a customer what to do.

A domain raises a DomainError; the HTTP edge maps its kind to a status in one table. Only Unavailable is retried.
"""

from enum import StrEnum

from kontor.core.i18n import DEFAULT, Lang, Text


class Kind(StrEnum):
    """What sort of refusal it is. The HTTP edge owns the status of each."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    NOT_POSSIBLE = "not_possible"
    GONE = "gone"
    PRECONDITION_FAILED = "precondition_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    TOO_LARGE = "too_large"
    LIMITED = "limited"
    PAYMENT_REQUIRED = "payment_required"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """A rule that refuses. `code` is stable and part of the API; `text` is fit for a customer."""

    def __init__(self, kind: Kind, code: str, text: Text, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code}: {text.en}")
        self.kind = kind
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s

    def sentence(self, lang: Lang = DEFAULT) -> str:
        """The sentence for the customer."""
        return self.text(lang)


class NotFound(DomainError):
    """It does not exist, or is not yours: nobody outside can tell which."""

    def __init__(self, what: Text | None = None, code: str = "not_found") -> None:
        super().__init__(
            Kind.NOT_FOUND,
            code,
            what
            or Text(
                de="Das gibt es hier nicht. Prüfen Sie die Adresse, oder wechseln Sie den Mandanten.",
                en="There is no such thing here. Check the address, or switch to another company.",
            ),
        )


class Unavailable(DomainError):
    """Something outside does not answer just now; trying again later is right."""

    def __init__(self, code: str, text: Text, *, retry_after_s: int = 5) -> None:
        super().__init__(Kind.UNAVAILABLE, code, text, retry_after_s=retry_after_s)
