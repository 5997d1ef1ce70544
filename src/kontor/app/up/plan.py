"""What runs on one machine, with which command and environment. Pure: no process, no file, no clock."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROVIDERS: Final = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "OLLAMA_BASE_URL")
_CONFIGURES: Final = ("KONTOR_", "DATABASE_URL", "TRUSTED_PROXIES", "OPENAI_", "ANTHROPIC_", "MISTRAL_", "OLLAMA_")
SERVING: Final = 1  # what the others talk to: stopped after them
ACTING: Final = 2  # what takes requests and jobs: stopped first


@dataclass(frozen=True)
class Program:
    """One process that is kept running. `fingerprint` differs when version or configuration do."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    fingerprint: str
    ready_url: str | None
    stage: int


@dataclass(frozen=True)
class Task:
    """One command that must succeed before the processes start."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Everything that `up` starts, and the addresses that it prints (label, URL)."""

    environment: Mapping[str, str]
    installs: Sequence[Task]
    migrate: Task
    programs: Sequence[Program]
    addresses: Sequence[tuple[str, str]]


def plan(
    environment: Mapping[str, str],
    *,
    python: str,
    state_dir: Path,
    database_url: str,
    master_key: str,
    ports: Mapping[str, int],
    version: str,
    needs_openclaw: bool,
) -> Plan:
    """The plan for one machine.

    `environment` is the launcher's own; what it sets about addresses, pool and providers wins over our choice. The
    built-in model runs only when no provider is named. `version` stands for the code: another one restarts all.
    """
    local = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    given = {name: value for name, value in environment.items() if value}
    env = {
        "KONTOR_POOL_SIZE": "1",
        "KONTOR_BASE_URL": local["api"],
        "KONTOR_GATEWAY_URL": local["gateway"],
        "KONTOR_SMTP_URL": f"smtp://127.0.0.1:{ports['smtp']}",
        "KONTOR_OUTBOX_URL": local["outbox"],
        **given,
        "KONTOR_STATE_DIR": str(state_dir),
        "KONTOR_MASTER_KEY": master_key,
        "DATABASE_URL": database_url,
        **{f"KONTOR_{name.upper()}_PORT": str(ports[name]) for name in ("api", "gateway", "model", "outbox", "worker")},
        "PYTHONUNBUFFERED": "1",
    }
    own_mail = env["KONTOR_SMTP_URL"] == f"smtp://127.0.0.1:{ports['smtp']}"
    if not own_mail and "KONTOR_OUTBOX_URL" not in given:
        del env["KONTOR_OUTBOX_URL"]
    mark = fingerprint(env, version)

    def program(name: str, title: str, path: str, stage: int) -> Program:
        command = (python, "-m", "kontor.app.cli", name)
        return Program(name, title, command, env, mark, local[name] + path, stage)

    programs = [
        *(
            []
            if any(given.get(name) for name in PROVIDERS)
            else [program("model", "Built-in model", "/healthz", SERVING)]
        ),
        *([program("outbox", "Mail outbox", "/healthz", SERVING)] if own_mail else []),
        program("gateway", "LLM gateway", "/readyz", SERVING),
        program("api", "API and portal", "/readyz", ACTING),
        program("worker", "Worker", "/readyz", ACTING),
    ]
    install = Task("openclaw", "OpenClaw", (python, "-m", "kontor.tenants.provisioning.install"), env)
    base = env["KONTOR_BASE_URL"].rstrip("/")
    return Plan(
        environment=env,
        installs=[install] if needs_openclaw else [],
        migrate=Task("migrate", "Schema", (python, "-m", "kontor.app.cli", "migrate"), env),
        programs=programs,
        addresses=[
            ("Portal", f"{base}/"),
            ("Operators", f"{base}/ops/tenants"),
            ("OpenAPI", f"{base}/api/v1/openapi.json"),
            *([("Mail outbox", local["outbox"] + "/")] if own_mail else []),
        ],
    )


def fingerprint(environment: Mapping[str, str], version: str) -> str:
    """Equal for processes that behave the same: the same code under the same configuration."""
    relevant = {name: value for name, value in environment.items() if name.startswith(_CONFIGURES)}
    return hashlib.sha256(json.dumps([version, sorted(relevant.items())]).encode()).hexdigest()
