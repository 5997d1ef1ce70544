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
