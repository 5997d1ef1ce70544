"""Reading a request's messages: what was asked, and what the system prompt says about the assistant. Pure.

Knows the frame that OpenClaw puts around a prompt (seen in 2026.9.4): its own instructions, then the workspace's
files under `# Project Context`, time stamps before and a `Runtime:` line after what the user wrote.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from kontor.app.model.asked import Message

_STAMP: Final = re.compile(r"^\[\w{3} \d{4}-\d{2}-\d{2} [^\]]*\]\s*")
_RUNTIME: Final = re.compile(r"\n+Runtime: agent=.*\Z", re.DOTALL)
_INTERNAL: Final = re.compile(r"<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>.*?<<<END_OPENCLAW_INTERNAL_CONTEXT>>>", re.DOTALL)
_PERSONA: Final = re.compile(r"^## \S*/[A-Z]+\.md\n(.*?)(?=^## \S*/[A-Z]+\.md$|^<!-- |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a request holds: the assistant's own prompt, and what users and the assistant said, in order.

    `results` are what tools returned since then; `images` those of the last question.
    """

    persona: str
    said: tuple[tuple[str, str], ...]
    results: tuple[str, ...] = ()
    images: int = 0

    @property
    def question(self) -> str:
        """What the user said last."""
        return next((text for role, text in reversed(self.said) if role == "user"), "")

    @property
    def earlier(self) -> list[str]:
        """What users said before that, oldest first."""
        return [text for role, text in self.said if role == "user"][:-1]

    @property
    def is_users_turn(self) -> bool:
        """Whether the user spoke last: nobody has answered yet, no tool has returned anything."""
        return bool(self.said) and self.said[-1][0] == "user" and not self.results


def conversation_of(messages: Sequence[Message]) -> Conversation:
    """From the messages of a request."""
    system = (_persona(message.text) for message in messages if message.role == "system")
    said = tuple((message.role, _plain(message.text)) for message in messages if message.role in {"user", "assistant"})
    results = [message.text for message in takewhile(lambda message: message.role == "tool", reversed(messages))]
    images = next((message.images for message in reversed(messages) if message.role == "user"), 0)
    return Conversation("\n".join(system), said, tuple(reversed(results)), images)


def _persona(prompt: str) -> str:
    found = _PERSONA.findall(prompt)
    return "\n".join(part.strip() for part in found) if found else prompt


def _plain(text: str) -> str:
    return _STAMP.sub("", _RUNTIME.sub("", _INTERNAL.sub("", text)).strip()).strip()
