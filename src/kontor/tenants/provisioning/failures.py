"""Why an assistant does not run, as codes and as sentences for the customer and the operator.

A code comes from the runtime or from the plan; one that is not listed reads as `unknown`. What only a machine's
operator can repair says so: the customer is told that we are on it.
"""

from collections.abc import Mapping
from typing import Final

from kontor.core.i18n import Text

_ON_IT: Final = Text(
    de="Unser Betrieb ist informiert; Sie können es jederzeit erneut versuchen.",
    en="Our operations team knows about it; you can try again at any time.",
)
_CAUSES: Final[Mapping[str, Text]] = {
    "port_taken": Text(
        de="Der Netzwerkanschluss des Assistenten ist von einem anderen Programm belegt.",
        en="The assistant's network port is in use by another program.",
    ),
    "exit_78": Text(
        de="Der Assistent hat seine Konfiguration oder seine Daten nicht angenommen.",
        en="The assistant did not accept its configuration or its data.",
    ),
    "install_missing": Text(
        de="Das Programm des Assistenten ist auf diesem Rechner nicht installiert.",
        en="The assistant's program is not installed on this machine.",
    ),
    "disk_full": Text(
        de="Auf dem Rechner ist kein Speicherplatz mehr frei.",
        en="The machine has no disk space left.",
    ),
    "out_of_memory": Text(
        de="Dem Assistenten ist der Arbeitsspeicher ausgegangen.",
        en="The assistant ran out of memory.",
    ),
    "start_timeout": Text(
        de="Der Assistent ist nicht rechtzeitig bereit geworden.",
        en="The assistant did not become ready in time.",
    ),
    "start_failed": Text(
        de="Der Assistent hat sich beim Start beendet.",
        en="The assistant ended while it was starting.",
    ),
    "crashed": Text(
        de="Der Assistent hat sich unerwartet beendet.",
        en="The assistant ended unexpectedly.",
    ),
    "not_answering": Text(
        de="Der Assistent läuft, antwortet aber gerade nicht.",
        en="The assistant is running but does not answer just now.",
    ),
    "runtime_unavailable": Text(
        de="Die Umgebung, in der Assistenten laufen, ist gerade nicht erreichbar.",
        en="The environment in which assistants run cannot be reached just now.",
    ),
    "internal": Text(
        de="Bei der Einrichtung ist ein Fehler auf unserer Seite aufgetreten.",
        en="An error on our side occurred during the setup.",
    ),
}
UNKNOWN: Final = Text(
    de="Der Assistent läuft aus einem unbekannten Grund nicht.",
    en="The assistant is not running for an unknown reason.",
)
_RESTARTING: Final = Text(
    de="Er wird von selbst neu gestartet.",
    en="It is being restarted by itself.",
)
CODES: Final = frozenset(_CAUSES)


def given_up(code: str) -> Text:
    """What the customer reads when the provisioning ended without success."""
    return _joined(_cause(code), _ON_IT)


def restarting(code: str) -> Text:
    """What the customer reads while a failed start or a crash is being repaired."""
    return _joined(_cause(code), _RESTARTING)


def _cause(code: str) -> Text:
    if code in _CAUSES:
        return _CAUSES[code]
    if code.startswith(("exit_", "signal_")):
        return _CAUSES["crashed"]
    return UNKNOWN


def _joined(first: Text, second: Text) -> Text:
    return Text(de=f"{first.de} {second.de}", en=f"{first.en} {second.en}")
