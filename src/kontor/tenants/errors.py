"""What the tenants' rooms refuse, each with the sentence that the customer or the operator reads."""

from enum import StrEnum
from typing import Final

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text

# How a customer calls a state of a tenant or an assistant.
STATE_NAMES: Final = {
    "onboarding": Text(de="noch nicht freigeschaltet", en="not activated yet"),
    "active": Text(de="aktiv", en="active"),
    "suspended": Text(de="gesperrt", en="suspended"),
    "erasing": Text(de="in Löschung", en="being erased"),
    "provisioning": Text(de="noch in Einrichtung", en="still being set up"),
    "ready": Text(de="in Betrieb", en="in service"),
    "hibernated": Text(de="im Ruhezustand", en="hibernating"),
    "failed": Text(de="nicht eingerichtet, weil die Einrichtung fehlgeschlagen ist", en="not set up: its setup failed"),
    "ending": Text(de="in Löschung", en="being erased"),
}


class NotPossible(DomainError):
    """The state does not allow it."""

    def __init__(self, now: StrEnum, wanted: StrEnum) -> None:
        name, goal = STATE_NAMES[now.value], STATE_NAMES[wanted.value]
        super().__init__(
            Kind.NOT_POSSIBLE,
            "tenant.not_possible",
            Text(
                de=f"Das ist gerade nicht möglich: Der aktuelle Stand ist „{name.de}“, gewünscht war „{goal.de}“.",
                en=f"This is not possible just now: it is {name.en}, and {goal.en} was asked for.",
            ),
        )
        self.now = now
        self.wanted = wanted


class FieldInvalid(DomainError):
    """One field of a form cannot be taken as it is; `field` is its name in the API."""

    def __init__(self, field: str, text: Text) -> None:
        super().__init__(Kind.INVALID, "field.invalid", text)
        self.field = field


class NotABusiness(DomainError):
    """We contract with businesses only."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "company.not_a_business",
            Text(
                de="Unser Angebot richtet sich nur an Unternehmen (§ 14 BGB). Bestätigen Sie bitte, dass Sie für ein "
                "Unternehmen handeln.",
                en="Our service is for businesses only (section 14 BGB). Please confirm that you act for a business.",
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


class FixedByContract(DomainError):
    """The choice decides which contracts apply and cannot change once they are accepted."""

    def __init__(self, field: str) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "company.fixed_by_contract",
            Text(
                de="Diese Angabe bestimmt Ihre Verträge und lässt sich nach deren Annahme nicht mehr ändern. "
                "Bitte wenden Sie sich an uns.",
                en="Your contracts follow from this and it cannot change once they are accepted. Please contact us.",
            ),
        )
        self.field = field
