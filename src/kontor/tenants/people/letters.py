"""What we write to people about their access, in German and English."""

from kontor.core.i18n import Lang
from kontor.core.mail import Button, Letter
from kontor.tenants.people.model import Role

_FOOTER = {
    "de": "Sie haben das nicht veranlasst? Dann ist nichts zu tun; ohne den Link geschieht nichts.",
    "en": "You did not ask for this? Then there is nothing to do; without the link nothing happens.",
}
_ROLES: dict[Lang, dict[Role, str]] = {
    "de": {Role.OWNER: "Inhaber", Role.ADMIN: "Administrator", Role.BILLING: "Abrechnung", Role.VIEWER: "Leser"},
    "en": {Role.OWNER: "owner", Role.ADMIN: "administrator", Role.BILLING: "billing", Role.VIEWER: "viewer"},
}


def role_name(role: Role, lang: Lang) -> str:
    """What the role is called."""
    return _ROLES[lang][role]


def verify(lang: Lang, url: str) -> Letter:
    """Confirms that an address is its owner's."""
    if lang == "de":
        return Letter(
            "Bitte bestätigen Sie Ihre E-Mail-Adresse",
            (
                "Guten Tag,",
                "schön, dass Sie da sind. Ein Klick noch, dann geht es weiter. Der Link gilt 24 Stunden.",
            ),
            Button("E-Mail-Adresse bestätigen", url),
            _FOOTER["de"],
        )
    return Letter(
        "Please confirm your e-mail address",
        ("Hello,", "good to have you here. One more click and you can go on. The link is valid for 24 hours."),
        Button("Confirm e-mail address", url),
        _FOOTER["en"],
    )


def already_known(lang: Lang, url: str) -> Letter:
    """Answers a sign-up with an address that has an account."""
    if lang == "de":
        return Letter(
            "Sie haben schon ein Konto",
            (
                "Guten Tag,",
                (
                    "jemand wollte sich mit dieser Adresse neu anmelden. Es gibt dafür schon ein Konto: "
                    "Melden Sie sich einfach an. Wenn Sie Ihr Passwort nicht mehr wissen, setzen Sie es dort zurück."
                ),
            ),
            Button("Zur Anmeldung", url),
            "Waren Sie das nicht, ist nichts zu tun; an Ihrem Konto hat sich nichts geändert.",
        )
    return Letter(
        "You already have an account",
        (
            "Hello,",
            (
                "somebody tried to sign up with this address. There is an account for it already: just log in. "
                "If you no longer know your password, reset it there."
            ),
        ),
        Button("Log in", url),
        "If that was not you, there is nothing to do; nothing about your account has changed.",
    )


def reset(lang: Lang, url: str) -> Letter:
    """A link to a new password."""
    if lang == "de":
        return Letter(
            "Neues Passwort festlegen",
            ("Guten Tag,", "hier legen Sie ein neues Passwort fest. Der Link gilt eine Stunde und nur einmal."),
            Button("Neues Passwort festlegen", url),
            _FOOTER["de"],
        )
    return Letter(
        "Set a new password",
        ("Hello,", "set your new password here. The link is valid for one hour, and once."),
        Button("Set a new password", url),
        _FOOTER["en"],
    )


def password_changed(lang: Lang, url: str) -> Letter:
    """Tells that the password is a new one."""
    if lang == "de":
        return Letter(
            "Ihr Passwort wurde geändert",
            (
                "Guten Tag,",
                (
                    "Ihr Passwort wurde soeben geändert; alle anderen Anmeldungen wurden beendet. "
                    "Waren Sie das nicht, setzen Sie es sofort zurück und schreiben Sie uns."
                ),
            ),
            Button("Passwort zurücksetzen", url),
        )
    return Letter(
        "Your password was changed",
        (
            "Hello,",
            (
                "your password has just been changed; all other sessions were ended. "
                "If that was not you, reset it at once and write to us."
            ),
        ),
        Button("Reset password", url),
    )


def invitation(lang: Lang, url: str, company: str, role: Role) -> Letter:
    """An offer to join a company's account."""
    if lang == "de":
        return Letter(
            f"Einladung zu {company}",
            (
                "Guten Tag,",
                (
                    f"{company} lädt Sie ein, den KI-Assistenten des Unternehmens mitzubetreuen. "
                    f"Ihre Rolle: {role_name(role, lang)}. Die Einladung gilt sieben Tage."
                ),
            ),
            Button("Einladung annehmen", url),
            _FOOTER["de"],
        )
    return Letter(
        f"Invitation to {company}",
        (
            "Hello,",
            (
                f"{company} invites you to help look after the company's AI assistant. "
                f"Your role: {role_name(role, lang)}. The invitation is valid for seven days."
            ),
        ),
        Button("Accept invitation", url),
        _FOOTER["en"],
    )
