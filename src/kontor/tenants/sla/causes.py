"""Why an assistant was not up, as stable codes with a name that a customer reads."""

from typing import Final

from kontor.core.i18n import Text

UNOBSERVED: Final = "not_observed"

_NAMES: Final = {
    "hibernated": Text(de="im Ruhezustand", en="hibernating"),
    "suspended": Text(de="gesperrt", en="suspended"),
    "waking": Text(de="wird geweckt", en="being woken"),
    "provisioning": Text(de="in Einrichtung", en="being set up"),
    "provisioning_failed": Text(de="Einrichtung fehlgeschlagen", en="setup failed"),
    UNOBSERVED: Text(de="nicht beobachtet", en="not observed"),
}
_OTHER: Final = Text(de="Assistent antwortete nicht", en="assistant did not answer")


def name_of(cause: str) -> Text:
    """What the cause is called; one that has no name of its own is an assistant that did not answer."""
    return _NAMES.get(cause, _OTHER)
