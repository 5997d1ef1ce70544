"""OpenClaw's configuration, hardened, and its workspace files. Pure.

Every switch has its reason: by default the model gets a shell with the token in its environment, a terminal, a
browser, a heartbeat turn every 30 minutes, and all people share one session. Validated against 2026.9.4.
"""

import json
from collections.abc import Mapping
from typing import Final

from kontor.core.i18n import Lang
from kontor.tenants.provisioning.spec import DIALECT, Dialect

PROVIDER: Final = "metered"
MODEL: Final = "assistant"
MODEL_TIMEOUT_S: Final = 120
CONTEXT_TOKENS: Final = 128_000
MAX_OUTPUT_TOKENS: Final = 4_096
OLD_SPACE_MB: Final = 384

# OpenClaw's name of each API, and what its base URL ends with: Anthropic's client adds /v1 itself.
_APIS: Final[Mapping[Dialect, tuple[str, str]]] = {
    "chat": ("openai-completions", "/v1"),
    "responses": ("openai-responses", "/v1"),
    "messages": ("anthropic-messages", ""),
}


def configuration(
    *, port: int, bind: str, gateway_url: str, workspace: str, log_file: str, dialect: Dialect = DIALECT
) -> dict[str, object]:
    """The content of openclaw.json. Secrets stand in the environment, as `${OPENCLAW_GATEWAY_TOKEN}`."""
    api, base = _APIS[dialect]
    return {
        "gateway": {
            "mode": "local",
            "port": port,
            "bind": bind,
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
                PROVIDER: {
                    "baseUrl": f"{gateway_url.rstrip('/')}{base}",
                    "apiKey": "${LLM_GATEWAY_KEY}",
                    "api": api,
                    "timeoutSeconds": MODEL_TIMEOUT_S,
                    "models": [
                        {
                            "id": MODEL,
                            "name": "Assistant",
                            "reasoning": False,
                            "input": ["text"],
                            "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                            "contextWindow": CONTEXT_TOKENS,
                            "maxTokens": MAX_OUTPUT_TOKENS,
                        }
                    ],
                }
            },
        },
        "agents": {
            "defaults": {
                "workspace": workspace,
                "model": {"primary": f"{PROVIDER}/{MODEL}"},
                "modelPolicy": {"allow": [f"{PROVIDER}/*"]},
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
        "logging": {"level": "warn", "consoleLevel": "warn", "consoleStyle": "json", "file": log_file},
    }


def environment(*, state_dir: str, config_file: str, token: str, gateway_key: str) -> dict[str, str]:
    """What the process gets besides PATH, HOME and TMPDIR. Nothing of the control plane's own environment."""
    return {
        "OPENCLAW_STATE_DIR": state_dir,
        "OPENCLAW_CONFIG_PATH": config_file,
        "OPENCLAW_GATEWAY_TOKEN": token,
        "LLM_GATEWAY_KEY": gateway_key,
        "OPENCLAW_CONFIG_READONLY": "1",
        "OPENCLAW_NO_AUTO_UPDATE": "1",
        "OPENCLAW_DISABLE_BONJOUR": "1",
        "OPENCLAW_NO_RESPAWN": "1",
        "OPENCLAW_OFFLINE": "1",
        "OPENCLAW_TRAJECTORY": "0",
        "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
        "MALLOC_ARENA_MAX": "2",
        "NODE_OPTIONS": f"--max-old-space-size={OLD_SPACE_MB} --max-semi-space-size=8",
    }


def as_text(config: Mapping[str, object]) -> str:
    """The file's text."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def workspace_files(
    *, display_name: str, company: str, operator: str, language: Lang, system_prompt: str
) -> dict[str, str]:
    """AGENTS.md, SOUL.md and IDENTITY.md: who the assistant is and what its company says.

    What it must never do is not here: the gateway puts it before every request, out of the instance's reach.
    """
    if language == "de":
        identity = f"# Identität\n\n- Name: {display_name}\n- Unternehmen: {company}\n- Betreiber: {operator}\n"
        soul = (
            "# Haltung\n\nFreundlich, knapp und ehrlich. Wer etwas nicht weiß, sagt es. "
            "Antworte in der Sprache, in der geschrieben wird; im Zweifel auf Deutsch.\n"
        )
        head, said = "Aufgabe", "Vorgaben des Unternehmens"
        intro = f"Du bist {display_name}, der KI-Assistent von {company}."
    else:
        identity = f"# Identity\n\n- Name: {display_name}\n- Company: {company}\n- Operator: {operator}\n"
        soul = (
            "# Manner\n\nFriendly, brief and honest. Who does not know something says so. "
            "Answer in the language in which people write; when in doubt in English.\n"
        )
        head, said = "Task", "What the company says"
        intro = f"You are {display_name}, the AI assistant of {company}."
    agents = f"# {head}\n\n{intro}\n\n## {said}\n\n{system_prompt.strip()}\n"
    return {"AGENTS.md": agents, "SOUL.md": soul, "IDENTITY.md": identity}
