"""From what a provider says to token counts; and what we guess when it says nothing. Pure.

Dialect: OpenAI chat completions (platform.openai.com/docs/api-reference/chat/object, field `usage`), also spoken by
Mistral, vLLM, Ollama and Anthropic's compatible endpoint. An explicit zero stays zero; only what is missing is
estimated.
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
    CUT = "cut"  # the provider broke off after its first byte
    REFUSED = "refused"  # the provider answered with an error status
    TIMEOUT = "timeout"  # the provider took the request and did not answer in time
    FAILED = "failed"  # the provider closed the connection without an answer
    LOST = "lost"  # our process died during the call


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of one call. `input` includes cached and cache_write, `output` includes reasoning."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    source: Source = Source.REPORTED


NOTHING: Final = Tokens()


def read_usage(usage: object) -> Tokens | None:
    """The counts in a `usage` object; None when it is not one or lacks input and output counts alike."""
    if not isinstance(usage, dict):
        return None
    given_input, given_output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if given_input is None and given_output is None:
        return None
    prompt, completion = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    input_, output = given_input or 0, given_output or 0
    cached = min(_count(prompt, "cached_tokens") or 0, input_)
    return Tokens(
        input=input_,
        cached=cached,
        cache_write=min(_count(prompt, "cache_write_tokens") or 0, input_ - cached),
        output=output,
        reasoning=min(_count(completion, "reasoning_tokens") or 0, output),
    )


def estimate(request_bytes: int, answer_bytes: int) -> Tokens:
    """A guess by size, four bytes to a token, rounded up: close for German and English text, never zero input."""
    return Tokens(
        input=min(max(1, -(-request_bytes // BYTES_PER_TOKEN)), MOST_TOKENS),
        output=min(-(-answer_bytes // BYTES_PER_TOKEN), MOST_TOKENS),
        source=Source.ESTIMATED,
    )


def _count(of: Mapping[object, object], name: str) -> int | None:
    value = of.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value)


def _details(of: Mapping[object, object], name: str) -> Mapping[object, object]:
    value = of.get(name)
    return value if isinstance(value, dict) else {}
