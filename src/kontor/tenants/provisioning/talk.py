"""Speaking with an instance over HTTP: one turn in, text and tokens out.

The instance keeps the conversation's history itself: only the new message goes to it. Its token never leaves us.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx
import orjson

from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.tls import authorities

CONNECT_S: Final = 5.0
READ_S: Final = 180.0
_DATA: Final = "data:"


@dataclass(frozen=True, slots=True)
class Delta:
    """Some more text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the turn cost, as the instance reports it."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete; `reason` is OpenAI's finish_reason."""

    reason: str


Part = Delta | Tokens | End


class Cut(Unavailable):
    """The answer broke off in the middle."""

    def __init__(self) -> None:
        super().__init__(
            "assistant.cut",
            Text(
                de="Die Antwort ist abgebrochen. Bitte stellen Sie Ihre Frage noch einmal.",
                en="The answer broke off. Please ask your question once more.",
            ),
        )


class NotAnswering(Unavailable):
    """The assistant cannot be reached, or refused."""

    def __init__(self) -> None:
        super().__init__(
            "assistant.not_answering",
            Text(
                de="Der Assistent antwortet gerade nicht. Versuchen Sie es in einem Augenblick noch einmal.",
                en="The assistant is not answering just now. Please try again in a moment.",
            ),
        )


class NotReached(NotAnswering):
    """No connection came about: nothing was sent to the assistant."""


def http_client(*, read_s: float = READ_S) -> httpx.AsyncClient:
    """A client for many requests at once; the caller closes it."""
    return httpx.AsyncClient(
        verify=authorities(),
        timeout=httpx.Timeout(read_s, connect=min(read_s, CONNECT_S)),
        limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100),
        trust_env=False,
    )


async def turn(
    client: httpx.AsyncClient, *, endpoint: str, token: str, conversation: str, text: str
) -> AsyncIterator[Part]:
    """One turn as it comes: Delta..., Tokens, End.

    Raises NotReached when nothing was sent, NotAnswering before the first part, Cut after it.
    """
    body = {
        "model": "openclaw",
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": conversation,
        "messages": [{"role": "user", "content": text}],
    }
    began = ended = False
    try:
        async with client.stream(
            "POST",
            f"{endpoint}/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {token}"},
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise NotAnswering
            async for line in response.aiter_lines():
                if not line.startswith(_DATA):
                    continue
                payload = line[len(_DATA) :].strip()
                if payload == "[DONE]":
                    break
                for part in _parts(payload):
                    began = True
                    ended = ended or isinstance(part, End)
                    yield part
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotReached from error
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise (Cut if began else NotAnswering) from error
    if not ended:
        raise Cut if began else NotAnswering


def _parts(payload: str) -> list[Part]:
    chunk = orjson.loads(payload)
    parts: list[Part] = []
    if "error" in chunk:
        raise ValueError("the instance reports an error")
    for choice in chunk.get("choices", ()):
        content = (choice.get("delta") or {}).get("content")
        if content:
            parts.append(Delta(content))
    usage = chunk.get("usage")
    if usage:
        parts.append(Tokens(int(usage["prompt_tokens"]), int(usage["completion_tokens"])))
    parts.extend(End(choice["finish_reason"]) for choice in chunk.get("choices", ()) if choice.get("finish_reason"))
    return parts
