"""Refusals of billing."""

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text
from kontor.core.money import decimal_of_nano


class KeyUnknown(DomainError):
    """The instance has no gateway key that could be this tenant's."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_FOUND,
            "gateway_key.unknown",
            Text(
                de="Diese Instanz hat keinen Zugang zum Modell. Sie muss neu bereitgestellt werden.",
                en="This instance has no access to a model. It must be provisioned anew.",
            ),
        )


class KeyExpiryPast(DomainError):
    """A key would have expired before it is made."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "gateway_key.expiry",
            Text(
                de="Das Ablaufdatum muss in der Zukunft liegen und seine Zeitzone nennen.",
                en="The expiry must be in the future and name its time zone.",
            ),
        )


class CapTooHigh(DomainError):
    """The plan, or the operator, allows no such cap."""

    def __init__(self, highest_nano: int) -> None:
        eur = f"{decimal_of_nano(highest_nano, 2):f}"
        super().__init__(
            Kind.INVALID,
            "budget.cap_too_high",
            Text(
                de=f"Ihre Obergrenze darf höchstens {eur.replace('.', ',')} EUR betragen. "
                "Schreiben Sie uns, wenn Sie mehr brauchen.",
                en=f"Your cap may be at most {eur} EUR. Write to us if you need more.",
            ),
        )


class ChangedMeanwhile(DomainError):
    """Somebody else saved in between; `revision` is the one that is stored now."""

    def __init__(self, revision: int) -> None:
        super().__init__(
            Kind.PRECONDITION_FAILED,
            "revision.changed_meanwhile",
            Text(
                de="Jemand anderes hat inzwischen gespeichert. Laden Sie die Seite neu und ändern Sie noch einmal.",
                en="Somebody else has saved in the meantime. Reload the page and make your change again.",
            ),
        )
        self.revision = revision


class PriceRefused(DomainError):
    """A price or an exchange rate cannot be set like this."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(Kind.INVALID, f"price.{code}", text)


class ExportRefused(DomainError):
    """A provider's export cannot be read."""

    def __init__(self, text: Text) -> None:
        super().__init__(Kind.INVALID, "usage.export_unreadable", text)


class ContentLogNotConfirmed(DomainError):
    """Whoever switches the content log on has not said that they have read what it means."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "content_log.not_confirmed",
            Text(
                de="Bestätigen Sie, dass Sie gelesen haben, was das Inhaltsprotokoll für alle bedeutet, die schreiben.",
                en="Confirm that you have read what the content log means for everybody who writes.",
            ),
        )


class ContentLogRetention(DomainError):
    """So many days are not offered."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(
            Kind.INVALID,
            "content_log.retention",
            Text(
                de="Das Inhaltsprotokoll wird mindestens {least} Tag und höchstens {most} Tage aufbewahrt.",
                en="The content log is kept for at least {least} day and at most {most} days.",
            ).fill(least=least, most=most),
        )
