"""What leaving refuses, and why an export may fail, in the customer's words."""

from typing import Final

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

GAVE_UP: Final = "export.gave_up"

_FAILURES: Final = {
    GAVE_UP: Text(
        de="Der Export ist mehrmals nicht fertig geworden. Wir wurden benachrichtigt; starten Sie ihn bitte neu.",
        en="The export could not be finished after several tries. We have been told; please start it again.",
    ),
}


def failure_text(code: str | None) -> Text | None:
    """The sentence for a failed export."""
    return _FAILURES.get(code, _FAILURES[GAVE_UP]) if code else None


class ExportNotReady(DomainError):
    """It is still being made, or has failed."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "export.not_ready",
            Text(
                de="Dieser Export ist noch nicht fertig oder fehlgeschlagen. Sehen Sie seinen Stand an.",
                en="This export is not finished yet, or has failed. Look at its state.",
            ),
        )


class ExportExpired(DomainError):
    """Its file was deleted."""

    def __init__(self) -> None:
        super().__init__(
            Kind.GONE,
            "export.expired",
            Text(
                de="Dieser Export ist abgelaufen und wurde gelöscht. Starten Sie einen neuen.",
                en="This export has expired and was deleted. Start a new one.",
            ),
        )


class NotConfirmed(DomainError):
    """The name that was typed is not the company's."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "erasure.not_confirmed",
            Text(
                de="Zur Bestätigung geben Sie bitte den Namen Ihres Unternehmens genau so ein, wie er angezeigt wird.",
                en="To confirm, please type the name of your company exactly as it is shown.",
            ),
        )
