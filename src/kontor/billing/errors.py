"""Refusals of billing."""

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


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
