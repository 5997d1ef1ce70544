"""From what a provider says to token counts; and what we guess when it says nothing. Pure.

One function for each dialect's `usage` object. An explicit zero stays zero; only what is missing is estimated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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


def chat_usage(usage: object) -> Tokens | None:
    """OpenAI's chat and embeddings; None when it is no usage or lacks input and output counts alike.

    Source: platform.openai.com/docs/api-reference/chat/object. Mistral, vLLM, Ollama, Azure and Bedrock do the same.
    """
    if not isinstance(usage, dict):
        return None
    input_, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    details = _details(usage, "prompt_tokens_details")
    reasoning = _count(_details(usage, "completion_tokens_details"), "reasoning_tokens")
    return _tokens(input_, output, _count(details, "cached_tokens"), _count(details, "cache_write_tokens"), reasoning)


def responses_usage(usage: object) -> Tokens | None:
    """OpenAI's responses. Source: platform.openai.com/docs/api-reference/responses/object."""
    if not isinstance(usage, dict):
        return None
    input_, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    details = _details(usage, "input_tokens_details")
    reasoning = _count(_details(usage, "output_tokens_details"), "reasoning_tokens")
    return _tokens(input_, output, _count(details, "cached_tokens"), _count(details, "cache_write_tokens"), reasoning)


def messages_usage(usage: object, *, since: Tokens | None = None) -> Tokens | None:
    """Anthropic's messages, whose input does not include what was read from or written to a cache.

    `since` is what the stream's first event said; the last one repeats only what has changed. Source:
    docs.anthropic.com, "Streaming Messages" (cumulative counts) and "Prompt caching" (what input excludes).
    """
    if not isinstance(usage, dict):
        return None
    begun = since or NOTHING
    plain, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    if since is None and plain is None and output is None:
        return None
    cached = begun.cached if read is None else read
    cache_write = begun.cache_write if written is None else written
    plain = begun.input - begun.cached - begun.cache_write if plain is None else plain
    return _tokens(plain + cached + cache_write, begun.output if output is None else output, cached, cache_write, None)


def estimate(request_bytes: int, answer_bytes: int) -> Tokens:
    """A guess by size, four bytes to a token, rounded up: close for German and English text, never zero input."""
    input_, output = -(-request_bytes // BYTES_PER_TOKEN) or 1, -(-answer_bytes // BYTES_PER_TOKEN)
    return Tokens(input_, 0, 0, output, 0, Source.ESTIMATED)


def _tokens(
    input_: int | None, output: int | None, cached: int | None, cache_write: int | None, reasoning: int | None
) -> Tokens | None:
    if input_ is None and output is None:
        return None
    input_, output = input_ or 0, output or 0
    cached = min(cached, input_) if cached else 0
    cache_write = min(cache_write, input_ - cached) if cache_write else 0
    return Tokens(input_, cached, cache_write, output, min(reasoning, output) if reasoning else 0)


def _count(of: Mapping[object, object], name: str) -> int | None:
    value = of.get(name)
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else None
    return int(value) if isinstance(value, float) and 0 <= value <= MOST_TOKENS else None


def _details(of: Mapping[object, object], name: str) -> Mapping[object, object]:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
