"""The hardened configuration, compared whole, and the files that say who an assistant is."""

import copy
import subprocess
from pathlib import Path

import pytest

from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning import install
from kontor.tenants.provisioning.openclaw_config import as_text, configuration, environment, workspace_files
from kontor.tenants.provisioning.spec import DIALECT, Dialect

HARDENED = {
    "gateway": {
        "mode": "local",
        "port": 1234,
        "bind": "loopback",
        "auth": {
            "mode": "token",
            "token": "${OPENCLAW_GATEWAY_TOKEN}",
            "rateLimit": {"maxAttempts": 10, "windowMs": 60_000, "lockoutMs": 300_000},
        },
        "controlUi": {"enabled": False},
        "terminal": {"enabled": False},
        "http": {"endpoints": {"chatCompletions": {"enabled": True}, "responses": {"enabled": False}}},
    },
    "models": {
        "mode": "replace",
        "catalogRefresh": {"enabled": False},
        "providers": {
            "metered": {
                "baseUrl": "http://gateway:8081/v1",
                "apiKey": "${LLM_GATEWAY_KEY}",
                "api": "openai-completions",
                "timeoutSeconds": 120,
                "models": [
                    {
                        "id": "assistant",
                        "name": "Assistant",
                        "reasoning": False,
                        "input": ["text"],
                        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                        "contextWindow": 128_000,
                        "maxTokens": 4_096,
                    }
                ],
            }
        },
    },
    "agents": {
        "defaults": {
            "workspace": "/home/workspace",
            "model": {"primary": "metered/assistant"},
            "modelPolicy": {"allow": ["metered/*"]},
            "skipBootstrap": True,
            "skills": [],
            "heartbeat": {"every": "0m"},
            "userTimezone": "Europe/Berlin",
        }
    },
    "tools": {"profile": "minimal", "deny": ["*"], "toolSearch": False, "elevated": {"enabled": False}},
    "commands": {"text": False, "native": False, "nativeSkills": False, "restart": False},
    "session": {"dmScope": "per-channel-peer"},
    "plugins": {
        "allow": ["openai", "admin-http-rpc"],
        "slots": {"memory": "none"},
        "entries": {"admin-http-rpc": {"enabled": True}},
    },
    "memory": {"search": {"enabled": False}},
    "skills": {"allowBundled": [], "load": {"watch": False}},
    "browser": {"enabled": False},
    "cron": {"enabled": False},
    "discovery": {"mdns": {"mode": "off"}},
    "update": {"checkOnStart": False},
    "telemetry": {"enabled": False},
    "logging": {"level": "warn", "consoleLevel": "warn", "consoleStyle": "json", "file": "/home/openclaw.log"},
}


def some_configuration(dialect: Dialect = DIALECT) -> dict[str, object]:
    return configuration(
        port=1234,
        bind="loopback",
        gateway_url="http://gateway:8081/",
        workspace="/home/workspace",
        log_file="/home/openclaw.log",
        dialect=dialect,
    )


def test_the_configuration_is_the_hardened_one() -> None:
    assert some_configuration() == HARDENED


@pytest.mark.parametrize(
    ("dialect", "api", "url"),
    [
        ("responses", "openai-responses", "http://gateway:8081/v1"),
        ("messages", "anthropic-messages", "http://gateway:8081"),
    ],
)
def test_another_dialect_changes_the_api_and_nothing_else(dialect: Dialect, api: str, url: str) -> None:
    changed = copy.deepcopy(HARDENED)
    changed["models"]["providers"]["metered"] |= {"api": api, "baseUrl": url}  # type: ignore[index]

    assert some_configuration(dialect) == changed


@pytest.mark.openclaw
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_openclaw_accepts_it(tmp_path: Path, dialect: Dialect) -> None:
    installed = install.find(default_cache_dir())
    file = tmp_path / "openclaw.json"
    file.write_text(as_text(some_configuration(dialect)))
    own = environment(state_dir=str(tmp_path / "state"), config_file=str(file), token="t", gateway_key="k")

    done = subprocess.run(
        [installed.node, installed.entry, "config", "validate"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **own},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_stand_in_the_environment_and_not_in_the_file() -> None:
    own = environment(state_dir="/s", config_file="/c", token="the-token", gateway_key="the-key")

    assert (own["OPENCLAW_GATEWAY_TOKEN"], own["LLM_GATEWAY_KEY"]) == ("the-token", "the-key")
    assert "the-" not in as_text(some_configuration())


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_workspace_says_who_the_assistant_is_and_what_its_company_wants(language: str) -> None:
    files = workspace_files(
        display_name="Ada 🥨",
        company="Bäckerei Müller",
        operator="Betrieb GmbH",
        language="de" if language == "de" else "en",
        system_prompt="Wir öffnen um 7 Uhr.",
    )

    assert set(files) == {"AGENTS.md", "SOUL.md", "IDENTITY.md"}
    agents = files["AGENTS.md"]
    assert agents.index("Ada 🥨") < agents.index("Wir öffnen um 7 Uhr.")
    assert agents.endswith("Wir öffnen um 7 Uhr.\n")
    assert "Bäckerei Müller" in files["IDENTITY.md"]
