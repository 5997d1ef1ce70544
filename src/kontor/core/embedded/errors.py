"""Why no Postgres could be started here."""

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


class PostgresNotStarted(DomainError):
    """No embedded Postgres runs; the sentence says what to do."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(Kind.NOT_POSSIBLE, f"postgres.{code}", text)


def no_binaries(where: str) -> PostgresNotStarted:
    """Neither $PG_BIN nor the wheel nor the system has a usable Postgres."""
    return PostgresNotStarted(
        "no_binaries",
        Text(
            de=f"Kein Postgres ab Version 16 gefunden ({where}). Setzen Sie DATABASE_URL oder PG_BIN, oder rufen Sie "
            "`make up` auf, das eines installiert.",
            en=f"No Postgres from version 16 on was found ({where}). Set DATABASE_URL or PG_BIN, or run `make up`, "
            "which installs one.",
        ),
    )


def not_reachable(folder: str, user: str) -> PostgresNotStarted:
    """As root, Postgres runs as another user, who cannot walk to the folder."""
    return PostgresNotStarted(
        "not_reachable",
        Text(
            de=f"Als root läuft Postgres unter dem Benutzer {user}, der {folder} nicht betreten darf. Wählen Sie mit "
            f"KONTOR_STATE_DIR einen anderen Ordner, oder rufen Sie `chmod o+x {folder}` auf.",
            en=f"Started as root, Postgres runs as the user {user}, who may not enter {folder}. Choose another folder "
            f"with KONTOR_STATE_DIR, or run `chmod o+x {folder}`.",
        ),
    )


def other_version(data: str, theirs: str, ours: int) -> PostgresNotStarted:
    """The data folder was written by another major version."""
    return PostgresNotStarted(
        "other_version",
        Text(
            de=f"{data} stammt von Postgres {theirs}, gefunden wurde Postgres {ours}. Zeigen Sie mit PG_BIN auf "
            f"Version {theirs}, oder übertragen Sie die Daten mit pg_upgrade.",
            en=f"{data} was written by Postgres {theirs}, but Postgres {ours} was found. Point PG_BIN to version "
            f"{theirs}, or move the data with pg_upgrade.",
        ),
    )


def did_not_start(log_file: str, tail: str) -> PostgresNotStarted:
    """The server ended, or was not ready in time."""
    return PostgresNotStarted(
        "did_not_start",
        Text(
            de=f"Postgres ist nicht gestartet. Das Protokoll {log_file} endet mit:\n{tail}",
            en=f"Postgres did not start. Its log {log_file} ends with:\n{tail}",
        ),
    )
