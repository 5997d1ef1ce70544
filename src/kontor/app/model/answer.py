"""An answer before it is put into a dialect: its parts in tokens, and why it ends. Pure."""

from dataclasses import dataclass

from kontor.app.model import rules, tokens, tools
from kontor.app.model.asked import Asked
from kontor.app.model.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an answer, cut into tokens: text, or the input as JSON of the tool that is called."""

    pieces: tuple[str, ...]
    tool: str | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer costs, in tokens: `said` is what can be read of it, the cached ones are part of the input."""

    input_tokens: int
    said_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def output_tokens(self) -> int:
        """All that was generated."""
        return self.said_tokens + self.reasoning_tokens

    @property
    def fresh_tokens(self) -> int:
        """The input that no cache had or took."""
        return self.input_tokens - self.cached_tokens - self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """What a dialect puts into its form. `id` is without the dialect's prefix; `created_at` in Unix seconds."""

    asked: Asked
    id: str
    created_at: int
    parts: tuple[Part, ...]
    is_cut: bool
    usage: Usage
    tells_usage: bool = True

    @property
    def calls_tools(self) -> bool:
        """Whether it waits for what tools return."""
        return any(part.tool is not None for part in self.parts)


def parts_of(asked: Asked, conversation: Conversation, instead: str | None) -> tuple[Part, ...]:
    """What the model says: the tools that were asked for, else a text: `instead`, or what the rules say."""
    called = tools.calls(asked, conversation) if instead is None else []
    if called:
        return tuple(Part(tuple(tokens.pieces(given)), name) for name, given in called)
    return (Part(tuple(tokens.pieces(instead or rules.answer(conversation)))),)


def shortened(parts: tuple[Part, ...], most_tokens: int | None) -> tuple[Part, ...]:
    """The first tokens of it, as many as are allowed."""
    if most_tokens is None:
        return parts
    kept, left = [], most_tokens
    for part in parts:
        if left > 0:
            kept.append(Part(part.pieces[:left], part.tool))
        left -= len(part.pieces)
    return tuple(kept)


def length(parts: tuple[Part, ...]) -> int:
    """Its tokens."""
    return sum(len(part.pieces) for part in parts)
