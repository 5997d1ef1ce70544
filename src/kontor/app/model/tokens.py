"""How the built-in model counts: the same text always has the same number of tokens. Pure.

A token is a run of at most six letters, digits or underscores, or one other character that is no white space. A
message costs three tokens beside its text, a request three more. White space is free. An image costs 85, the call of a
tool what its name and its input have as text; the tools that a request offers cost nothing.
"""

import re
from collections.abc import Iterable
from typing import Final

from kontor.app.model.asked import Message

PER_IMAGE: Final = 85
_PIECE: Final = re.compile(r"\s*(?:\w{1,6}|[^\w\s])\s*$|\s*(?:\w{1,6}|[^\w\s])")
_PER_MESSAGE: Final = 3
_PER_REQUEST: Final = 3


def pieces(text: str) -> list[str]:
    """The text cut into its tokens, each with the white space before it (the last also with that after it)."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(pieces(text))


def count_messages(texts: Iterable[str]) -> int:
    """How many input tokens a request with these message texts has."""
    return _PER_REQUEST + sum(_PER_MESSAGE + count(text) for text in texts)


def count_request(messages: Iterable[Message]) -> int:
    """The same for messages that may also hold images and calls of tools."""
    told = tuple(messages)
    images = sum(message.images for message in told)
    return count_messages(" ".join((message.text, *message.calls)) for message in told) + PER_IMAGE * images
