"""OpenAI's embeddings. The same text always has the same vector; that two are near each other means nothing. Pure."""

import math
import struct
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import shake_256
from typing import Any, Final

import orjson

from kontor.app.model import tokens
from kontor.app.model.answer import Usage
from kontor.app.model.asked import NAME, NotUnderstood

DIMENSIONS: Final = 1536
MOST_DIMENSIONS: Final = 3072
MOST_INPUTS: Final = 2048
_FORMATS: Final = ("float", "base64")
_WIDTH_BYTES: Final = 4
_HALF: Final = 2**31

Input = str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The texts, or the tokens of texts, whose vectors are wanted."""

    model: str
    inputs: tuple[Input, ...]
    dimensions: int
    is_base64: bool

    @property
    def text(self) -> str:
        """All that is text in it."""
        return "\n".join(each for each in self.inputs if isinstance(each, str))

    @property
    def usage(self) -> Usage:
        """A text costs its tokens, a list of tokens as many as it has."""
        costs = (tokens.count(each) if isinstance(each, str) else len(each) for each in self.inputs)
        return Usage(sum(costs), 0)


def read(fields: Mapping[str, Any]) -> Wanted:
    """The request. Raises NotUnderstood."""
    wanted, dimensions = fields.get("encoding_format", "float"), fields.get("dimensions", DIMENSIONS)
    if wanted not in _FORMATS:
        raise NotUnderstood("'encoding_format' must be float or base64.", "encoding_format")
    if type(dimensions) is not int or not 0 < dimensions <= MOST_DIMENSIONS:
        raise NotUnderstood(f"'dimensions' must be a number from 1 to {MOST_DIMENSIONS}.", "dimensions")
    return Wanted(str(fields.get("model") or NAME), _inputs(fields.get("input")), dimensions, wanted == "base64")


def embedded(wanted: Wanted, *, tells_usage: bool) -> dict[str, Any]:
    """A list with a vector for each input, in their order."""
    data = []
    for index, each in enumerate(wanted.inputs):
        vector = struct.pack(f"<{wanted.dimensions}f", *unit_vector(each, wanted.dimensions))
        told = b64encode(vector).decode() if wanted.is_base64 else struct.unpack(f"<{wanted.dimensions}f", vector)
        data.append({"object": "embedding", "index": index, "embedding": told})
    usage = {"prompt_tokens": wanted.usage.input_tokens, "total_tokens": wanted.usage.input_tokens}
    return {"object": "list", "data": data, "model": wanted.model} | ({"usage": usage} if tells_usage else {})


def unit_vector(of: Input, dimensions: int) -> list[float]:
    """Of length 1, from a hash; fewer dimensions are the first of more, made as long again, as OpenAI shortens them."""
    stream = shake_256(orjson.dumps(of)).digest(dimensions * _WIDTH_BYTES)
    raw = [number / _HALF for number in struct.unpack(f"<{dimensions}i", stream)]
    length = math.hypot(*raw)
    return [number / length for number in raw]


def _inputs(given: object) -> tuple[Input, ...]:
    several = given if isinstance(given, list) and not all(type(each) is int for each in given) else [given]
    inputs = tuple(each for each in map(_input, several) if each)
    if not len(inputs) == len(several) <= MOST_INPUTS:
        raise NotUnderstood(
            f"'input' must be a string or tokens, or 1 to {MOST_INPUTS} of them, none of them empty.", "input"
        )
    return inputs


def _input(given: object) -> Input | None:
    if isinstance(given, list) and all(type(each) is int and each >= 0 for each in given):
        return tuple(given)
    return given if isinstance(given, str) else None
