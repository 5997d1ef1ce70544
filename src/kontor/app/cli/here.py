"""What runs on this machine: the ports, database and key of the `kontor up` of a state folder."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kontor.app.up import ports
from kontor.core.embedded import EmbeddedPostgres
from kontor.core.settings import default_state_dir

HOST: Final = "http://127.0.0.1"


def state_dir(environment: Mapping[str, str]) -> Path:
    """The folder that `up` uses under this environment."""
    return Path(environment.get("KONTOR_STATE_DIR") or default_state_dir()).absolute()


def url_of(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where a process of `up` answers (names of ports.USUAL); its usual place when nothing is known."""
    known = ports.recall(state_dir(environment) / "ports.json")
    return f"{HOST}:{known.get(name, ports.USUAL[name])}"


def missing_settings(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Database and master key of the `up` of this folder, by the names of Settings, unless the environment sets them.

    So `kontor tenants list` works in a second shell beside `kontor up`. Empty where nothing was ever started.
    """
    folder = state_dir(environment)
    found: dict[str, Any] = {}
    key = folder / "master.key"
    if not environment.get("KONTOR_MASTER_KEY") and key.exists():
        found["master_key"] = key.read_text().strip()
    server = EmbeddedPostgres(folder)
    if not (environment.get("DATABASE_URL") or environment.get("KONTOR_DATABASE_URL")) and server.is_running:
        found["database_url"] = server.url
    return found
