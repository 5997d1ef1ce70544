"""Secrets out of what leaves the house: the assistant's token and its key for the gateway. Pure."""

import json
import re
from collections.abc import Iterable
from typing import Final

PLACEHOLDER: Final = "${REDACTED}"
_SECRET_NAME: Final = re.compile(r"token$|key$|secret|password|credential", re.IGNORECASE)
_FROM_ENVIRONMENT: Final = re.compile(r"^\$\{[A-Z0-9_]+\}$")


def without(secrets: Iterable[str], text: str) -> str:
    """The text with each secret replaced by a placeholder."""
    for secret in secrets:
        text = text.replace(secret, PLACEHOLDER)
    return text


def configuration(secrets: Iterable[str], text: str) -> str:
    """JSON in which also every value that is called a secret is a placeholder; text that is no JSON only `without`."""
    cleaned = without(secrets, text)
    try:
        return json.dumps(_cleaned(json.loads(cleaned)), indent=2, ensure_ascii=False) + "\n"
    except ValueError:
        return cleaned


def _cleaned(value: object, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _cleaned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, name) for inner in value]
    if isinstance(value, str) and _SECRET_NAME.search(name) and not _FROM_ENVIRONMENT.match(value):
        return PLACEHOLDER
    return value
