"""Where Postgres is for each role, and which errors of its driver mean that it is away.

For processes that need no ORM: it alone takes as much memory as all the rest of them.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from kontor.core import roles
from kontor.core.crypto import derive
from kontor.core.settings import Settings


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One `postgresql://` URL per role."""

    owner: str
    app: str
    system: str
    gateway: str


def urls(settings: Settings) -> DatabaseUrls:
    """The roles' URLs: as set, else the owner's with the role's name and a password derived from the master key."""
    owner = settings.database_url.get_secret_value()

    def of(role: str, explicit: Any) -> str:
        return explicit.get_secret_value() if explicit else role_url(owner, role, settings.master_key_bytes)

    return DatabaseUrls(
        owner=owner,
        app=of(roles.APP, settings.database_app_url),
        system=of(roles.SYSTEM, settings.database_system_url),
        gateway=of(roles.GATEWAY, settings.database_gateway_url),
    )


def role_url(owner_url: str, role: str, master_key: bytes) -> str:
    """The same database as another role."""
    url = urlsplit(owner_url)
    netloc = f"{role}:{role_password(role, master_key)}@{url.netloc.rpartition('@')[2]}"
    return urlunsplit(url._replace(netloc=netloc))


def role_password(role: str, master_key: bytes) -> str:
    """A role's password, the same on every machine that has the master key."""
    return derive(master_key, f"database-role/{role}").hex()


def is_outage(error: BaseException | None) -> bool:
    """Whether a driver's error says that the server is away, starting or stopping (SQLSTATE 08, 57P)."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
    return state.startswith(("08", "57P")) or state == "53300"
