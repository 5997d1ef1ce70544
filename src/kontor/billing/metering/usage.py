"""From what a provider says to token counts; and what we guess when it says nothing. Pure.

One function for each dialect's `usage` object. An explicit zero stays zero. A report that lacks a count, or says
something that is none, is no report: the call is estimated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Concatenate, Final, ParamSpec

BYTES_PER_TOKEN: Final = 4
MOST_TOKENS: Final = 2**32 - 2


class Source(StrEnum):
    """Who counted."""

    REPORTED = "reported"
    ESTIMATED = "estimated"


class Outcome(StrEnum):
    """How a call ended, seen from the caller."""

    ANSWERED = "answered"
    DISCONNECTED = "disconnected"  # the caller went away before the end
    CUT = "cut"  # the provider broke off after its first byte, or sent what is no answer
    REFUSED = "refused"  # the provider answered with an error status
    TIMEOUT = "timeout"  # the provider took the request and did not answer in time
    FAILED = "failed"  # the provider closed the connection without an answer
    LOST = "lost"  # our process died during the call


@dataclass(slots=True)
class Tokens:
    """Counts of one call. `input` includes cached and cache_write, `output` includes reasoning."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    source: Source = Source.REPORTED


NOTHING: Final = Tokens()


_CACHED: Final = ("cached_tokens", "cache_write_tokens")

Usage = Mapping[object, object]
P = ParamSpec("P")


class _Nonsense(ValueError):
    """A count that is none: negative, endless, a text."""


def _sane(read: Callable[Concatenate[Usage, P], Tokens | None]) -> Callable[Concatenate[object, P], Tokens | None]:
    """None for what is no usage."""

    @wraps(read)
    def checked(usage: object, /, *args: P.args, **kwargs: P.kwargs) -> Tokens | None:
        try:
            return read(usage, *args, **kwargs) if isinstance(usage, dict) else None
        except _Nonsense:
            return None

    return checked


@_sane
def chat_usage(usage: Usage) -> Tokens | None:
    """OpenAI's chat.

    Source: platform.openai.com/docs/api-reference/chat/object. Mistral, vLLM, Ollama, Azure and Bedrock do the same.
    """
    input_, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached, cache_write = (_detail(usage, "prompt_tokens_details", name) for name in _CACHED)
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    return _tokens(input_, output, cached, cache_write, reasoning)


@_sane
def embeddings_usage(usage: Usage) -> Tokens | None:
    """OpenAI's embeddings, which have no output. Source: platform.openai.com/docs/api-reference/embeddings."""
    return _tokens(_count(usage, "prompt_tokens"), 0, None, None, None)


@_sane
def responses_usage(usage: Usage) -> Tokens | None:
    """OpenAI's responses. Source: platform.openai.com/docs/api-reference/responses/object."""
    input_, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    cached, cache_write = (_detail(usage, "input_tokens_details", name) for name in _CACHED)
    reasoning = _detail(usage, "output_tokens_details", "reasoning_tokens")
    return _tokens(input_, output, cached, cache_write, reasoning)


@_sane
def messages_usage(usage: Usage, *, since: Tokens | None = None) -> Tokens | None:
    """Anthropic's messages, whose input does not include what was read from or written to a cache.

    `since` is what the stream's first event said; the last one repeats only what has changed. Source:
    docs.anthropic.com, "Streaming Messages" (cumulative counts) and "Prompt caching" (what input excludes).
    """
    begun = since or NOTHING
    plain, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    if since is None and plain is None:
        return None
    cached = begun.cached if read is None else read
    cache_write = begun.cache_write if written is None else written
    plain = begun.input - begun.cached - begun.cache_write if plain is None else plain
    return _tokens(plain + cached + cache_write, output, cached, cache_write, None)


def estimate(request_bytes: int, answer_bytes: int) -> Tokens:
    """A guess by size, four bytes to a token, rounded up: close for German and English text, never zero input."""
    input_, output = -(-request_bytes // BYTES_PER_TOKEN) or 1, -(-answer_bytes // BYTES_PER_TOKEN)
    return Tokens(input_, 0, 0, output, 0, Source.ESTIMATED)


def _tokens(
    input_: int | None, output: int | None, cached: int | None, cache_write: int | None, reasoning: int | None
) -> Tokens | None:
    if input_ is None or output is None:
        return None
    cached = min(cached, input_) if cached else 0
    cache_write = min(cache_write, input_ - cached) if cache_write else 0
    return Tokens(input_, cached, cache_write, output, min(reasoning, output) if reasoning else 0)


def _count(of: Usage, name: str) -> int | None:
    """None when it is missing. Raises _Nonsense."""
    value = of.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        raise _Nonsense
    return int(value)


def _detail(of: Usage, details: str, name: str) -> int | None:
    """A part of a count; None when it is missing or nonsense, which takes nothing from the count."""
    within = of.get(details)
    try:
        return _count(within, name) if isinstance(within, dict) else None
    except _Nonsense:
        return None
