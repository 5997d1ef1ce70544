"""Which ports the processes get: the usual ones, the next free ones when those are taken, and the same next time."""

import json
import socket
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from kontor.app.up import errors

USUAL: Final[Mapping[str, int]] = {
    "api": 8080,
    "gateway": 8081,
    "model": 8082,
    "outbox": 8083,
    "worker": 8084,
    "smtp": 8025,
}
VARIABLES: Final[Mapping[str, str]] = {
    "api": "KONTOR_API_PORT",
    "gateway": "KONTOR_GATEWAY_PORT",
    "model": "KONTOR_MODEL_PORT",
    "outbox": "KONTOR_OUTBOX_PORT",
    "worker": "KONTOR_WORKER_PORT",
    "smtp": "KONTOR_SMTP_PORT",
}
HIGHEST: Final = 65535


def choose(
    environment: Mapping[str, str],
    remembered: Mapping[str, int],
    held: AbstractSet[str],
    is_free: Callable[[int], bool],
) -> dict[str, int]:
    """A port for each name in USUAL, no port twice.

    What the environment asks for is taken or refused (UpRefused). Else the remembered one, else the usual one, else
    the next free above it. `held` names the ports that our own processes of last time still listen on.
    """
    asked = {name: int(environment[variable]) for name, variable in VARIABLES.items() if environment.get(variable)}
    chosen: dict[str, int] = {}
    for name, usual in sorted(USUAL.items(), key=lambda item: item[0] not in asked):
        taken = set(chosen.values()) | {port for other, port in remembered.items() if other in held and other != name}
        wish = asked.get(name) or remembered.get(name) or usual
        is_ours = name in held and wish == remembered.get(name)
        if wish not in taken and (is_ours or is_free(wish)):
            chosen[name] = wish
        elif name in asked:
            raise errors.port_taken(VARIABLES[name], wish)
        else:
            chosen[name] = _next_free(usual, taken, is_free)
    return chosen


def _next_free(first: int, taken: AbstractSet[int], is_free: Callable[[int], bool]) -> int:
    return next(port for port in range(first, HIGHEST) if port not in taken and is_free(port))


def recall(file: Path) -> dict[str, int]:
    """The ports of last time; none when there was no last time or its file is damaged."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: port for name, port in found.items() if name in USUAL and isinstance(port, int)}


def remember(file: Path, ports: Mapping[str, int]) -> None:
    """The next start finds these."""
    file.write_text(json.dumps(dict(ports), indent=1) + "\n")


def is_free(port: int) -> bool:
    """Whether a server on this machine could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
