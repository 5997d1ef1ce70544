"""Refusals about people."""

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


class LoginRefused(DomainError):
    """Address, password or code is wrong; which one is not said."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAUTHENTICATED,
            "login.refused",
            Text(
                de="E-Mail-Adresse oder Passwort stimmt nicht. Sie können Ihr Passwort zurücksetzen.",
                en="E-mail address or password is wrong. You can reset your password.",
            ),
        )


class PasswordWrong(DomainError):
    """Somebody who is known gave another password than the person's own."""

    def __init__(self) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            "password.wrong",
            Text(
                de="Das ist nicht Ihr bisheriges Passwort. Sie können es zurücksetzen, wenn Sie es nicht mehr wissen.",
                en="This is not your current password. You can reset it if you do not remember.",
            ),
        )


class LinkUsed(DomainError):
    """The link is unknown, was used, or was replaced by a newer one."""

    def __init__(self) -> None:
        super().__init__(
            Kind.GONE,
            "link.used",
            Text(
                de=(
                    "Dieser Link wurde schon benutzt oder ist ungültig. Melden Sie sich an, oder fordern "
                    "Sie einen neuen an."
                ),
                en="This link was already used or is not valid. Log in, or ask for a new one.",
            ),
        )


class LinkExpired(DomainError):
    """The link is too old."""

    def __init__(self) -> None:
        super().__init__(
            Kind.GONE,
            "link.expired",
            Text(
                de="Dieser Link ist abgelaufen. Bitte fordern Sie einen neuen an.",
                en="This link has expired. Please ask for a new one.",
            ),
        )


class LastOwner(DomainError):
    """A tenant always has an owner."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "members.last_owner",
            Text(
                de=(
                    "Der letzte Inhaber kann weder gehen noch eine andere Rolle bekommen. Ernennen Sie "
                    "zuerst einen weiteren."
                ),
                en="The last owner can neither leave nor change role. Appoint another one first.",
            ),
        )


class SeatsTaken(DomainError):
    """Members never exceed seats (product page, "Plans")."""

    def __init__(self, seats: int) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "members.seats",
            Text(
                de=f"Alle {seats} Plätze sind vergeben. Entfernen Sie ein Mitglied oder buchen Sie Plätze dazu.",
                en=f"All {seats} seats are taken. Remove a member or add seats.",
            ),
        )


class AlreadyMember(DomainError):
    """The address is a member or has an open invitation."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "members.already",
            Text(
                de="Diese Adresse ist schon Mitglied oder schon eingeladen.",
                en="This address is a member or is invited already.",
            ),
        )


class CodeRefused(DomainError):
    """The six digits do not fit, or were used before."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAUTHENTICATED,
            "login.code_refused",
            Text(
                de="Der Code stimmt nicht oder wurde schon benutzt. Warten Sie auf den nächsten.",
                en="The code is wrong or was used already. Wait for the next one.",
            ),
        )


class UnknownScope(DomainError):
    """An API key was asked for with a right that there is not."""

    def __init__(self, known: str) -> None:
        super().__init__(
            Kind.INVALID,
            "api_key.scope",
            Text(de=f"Diese Rechte gibt es: {known}.", en=f"These scopes exist: {known}."),
        )


class InvalidExpiry(DomainError):
    """An expiry in the past."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "api_key.expiry",
            Text(de="Das Ablaufdatum muss in der Zukunft liegen.", en="The expiry must lie in the future."),
        )
