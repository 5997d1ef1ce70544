"""When the built-in model calls tools: the user's last message says so, as `[tool NAME {"input": "as JSON"}]`. Pure."""

import json
import re
from typing import Final

import orjson

from kontor.app.model.asked import Asked
from kontor.app.model.conversation import Conversation

_WISH: Final = re.compile(r"\[tool ([A-Za-z0-9_.-]+)\s*")
_END: Final = re.compile(r"\s*\]")
_JSON: Final = json.JSONDecoder()


def calls(asked: Asked, conversation: Conversation) -> list[tuple[str, str]]:
    """The tools that the user asks for, each with its input as JSON, as often and in the order as they are named.

    Only tools that the request offers, and only until they have returned something; one, where the request forbids
    several at once. An input that is no JSON object calls nothing; none is `{}`.
    """
    if not conversation.is_users_turn:
        return []
    wishes = [(name, given) for name, given in _wishes(conversation.question) if name in asked.tools]
    return wishes if asked.is_parallel else wishes[:1]


def _wishes(text: str) -> list[tuple[str, str]]:
    wishes = []
    for found in _WISH.finditer(text):
        end = _end_of_json(text, found.end())
        if _END.match(text, end) and _is_object(given := text[found.end() : end] or "{}"):
            wishes.append((found[1], given))
    return wishes


def _end_of_json(text: str, start: int) -> int:
    try:
        return _JSON.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return start


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
