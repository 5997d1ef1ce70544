"""Why `kontor up` cannot start, or had to give up."""

from pathlib import Path

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


class UpRefused(DomainError):
    """Nothing of ours runs because of this start; the sentence says what to do."""

    def __init__(self, kind: Kind, code: str, text: Text) -> None:
        super().__init__(kind, f"up.{code}", text)


def already_running(state_dir: Path, pid: int, where: str) -> UpRefused:
    """Another launcher holds the state folder."""
    return UpRefused(
        Kind.CONFLICT,
        "already_running",
        Text(
            de=f"Kontor läuft bereits mit dem Ordner {state_dir} (Prozess {pid}): {where}. Beenden Sie es dort mit "
            "Strg-C, oder wählen Sie mit KONTOR_STATE_DIR einen anderen Ordner.",
            en=f"Kontor already runs on {state_dir} (process {pid}): {where}. Stop it there with Ctrl-C, or choose "
            "another folder with KONTOR_STATE_DIR.",
        ),
    )


def port_taken(variable: str, port: int) -> UpRefused:
    """A port that somebody chose on purpose is in use by another program."""
    return UpRefused(
        Kind.CONFLICT,
        "port_taken",
        Text(
            de=f"Der Port {port} aus {variable} ist von einem anderen Programm belegt. Wählen Sie einen anderen, oder "
            f"lassen Sie {variable} weg, dann nimmt Kontor den nächsten freien.",
            en=f"Port {port} from {variable} is used by another program. Choose another one, or unset {variable} and "
            "Kontor takes the next free one.",
        ),
    )


def not_started(title: str, log_file: Path, tail: str) -> UpRefused:
    """A part of Kontor did not come up; everything was stopped again."""
    return UpRefused(
        Kind.UNAVAILABLE,
        "not_started",
        Text(
            de=f"{title} ist nicht gestartet; alles wurde wieder beendet. {log_file} endet mit:\n{tail}",
            en=f"{title} did not start; everything was stopped again. {log_file} ends with:\n{tail}",
        ),
    )


def not_stopped(titles: str) -> UpRefused:
    """Something does not even end when it is killed."""
    return UpRefused(
        Kind.UNAVAILABLE,
        "not_stopped",
        Text(
            de=f"Läuft noch und lässt sich nicht beenden: {titles}.",
            en=f"Still running, and cannot be killed: {titles}.",
        ),
    )
