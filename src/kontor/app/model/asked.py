"""What a request asks, in whichever dialect it came: who said what, and what the answer may be. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = "kontor-demo"
"""The model's, and every model's that a request names."""

_IMAGES: Final = frozenset({"image", "image_url", "input_image"})


@dataclass(frozen=True, slots=True)
class Message:
    """What one said: `role` is system, user, assistant or tool; `calls` are the tools called, each with its input."""

    role: str
    text: str
    images: int = 0
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for an answer. `fields` are its own, for what a dialect's answer repeats of them."""

    fields: Mapping[str, Any]
    messages: tuple[Message, ...]
    most_tokens: int | None = None
    tools: frozenset[str] = frozenset()
    is_parallel: bool = True

    @property
    def model(self) -> str:
        """The name by which it was asked."""
        return str(self.fields.get("model") or NAME)

    @property
    def is_stream(self) -> bool:
        """Whether the answer is wanted piece by piece."""
        return bool(self.fields.get("stream"))


class NotUnderstood(ValueError):
    """The request cannot be answered; the message is a sentence for its author."""

    def __init__(self, why: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(why)
        self.param = param
        self.code = code


def mappings(values: object) -> list[Mapping[str, Any]]:
    """The objects in a list; none for anything that is no list."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        return []
    return [value for value in values if isinstance(value, Mapping)]


def text_of(content: object) -> str:
    """The text of a message's content, of all its parts; empty for anything else."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in mappings(content) if isinstance(part.get("text"), str))


def images_of(content: object) -> int:
    """How many images a message's content has."""
    return sum(part.get("type") in _IMAGES for part in mappings(content) if isinstance(part.get("type"), str))


def names_of(tools: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The names of tools."""
    return frozenset(name for tool in tools if isinstance(name := tool.get("name"), str))


def positive(value: object) -> int | None:
    """A number of tokens that limits; None for anything else."""
    return value if isinstance(value, int) and value > 0 else None
