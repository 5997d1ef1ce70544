"""Reading a chat request: who said what, and what the system prompt says about the assistant. Pure.

Knows the frame that OpenClaw puts around a prompt (seen in 2026.9.4): its own instructions, then the workspace's
files under `# Project Context`, time stamps before and a `Runtime:` line after what the user wrote.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_STAMP: Final = re.compile(r"^\[\w{3} \d{4}-\d{2}-\d{2} [^\]]*\]\s*")
_RUNTIME: Final = re.compile(r"\n+Runtime: agent=.*\Z", re.DOTALL)
_INTERNAL: Final = re.compile(r"<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>.*?<<<END_OPENCLAW_INTERNAL_CONTEXT>>>", re.DOTALL)
_PERSONA: Final = re.compile(r"^## \S*/[A-Z]+\.md\n(.*?)(?=^## \S*/[A-Z]+\.md$|^<!-- |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a request holds: the assistant's own prompt, and what users and the assistant said, in order."""

    persona: str
    said: tuple[tuple[str, str], ...]

    @property
    def question(self) -> str:
        """What the user said last."""
        return next((text for role, text in reversed(self.said) if role == "user"), "")

    @property
    def earlier(self) -> list[str]:
        """What users said before that, oldest first."""
        return [text for role, text in self.said if role == "user"][:-1]


def text_of(message: object) -> str:
    """The text of a message, of all its parts; empty for anything else."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def conversation_of(messages: Sequence[object]) -> Conversation:
    """From the `messages` of a request."""
    system, said = [], []
    for message in messages:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role in {"system", "developer"}:
            system.append(_persona(text_of(message)))
        elif role in {"user", "assistant"}:
            said.append((str(role), _plain(text_of(message))))
    return Conversation("\n".join(system), tuple(said))


def _persona(prompt: str) -> str:
    found = _PERSONA.findall(prompt)
    return "\n".join(part.strip() for part in found) if found else prompt


def _plain(text: str) -> str:
    return _STAMP.sub("", _RUNTIME.sub("", _INTERNAL.sub("", text)).strip()).strip()
