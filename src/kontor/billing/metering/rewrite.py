"""What the gateway changes in a request: the model's name and the wish for a usage chunk. Pure.

Everything else goes on byte for byte: where the two fields can be found without doubt they are replaced in place,
else the document is written anew with the same values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

_MODEL: Final = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')
_WISH: Final = b',"stream_options":{"include_usage":true}}'


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants, as far as the gateway needs to know."""

    fields: Mapping[str, Any]
    model: str
    is_stream: bool
    wants_usage: bool


class NotAChat(ValueError):
    """The body is not a chat completion request; the message says where."""


def read(body: bytes) -> Asked:
    """The request in a body. Raises NotAChat for broken JSON and for fields that we act upon and cannot read."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotAChat(f"The body is not valid JSON: {_place(error)}.") from error
    if not isinstance(fields, dict):
        raise NotAChat("The body must be a JSON object.")
    model, stream, options = fields.get("model"), fields.get("stream"), fields.get("stream_options")
    if not isinstance(model, str) or not model:
        raise NotAChat("'model' must be a string that is not empty.")
    if not isinstance(fields.get("messages"), list) or not fields["messages"]:
        raise NotAChat("'messages' must be a list that is not empty.")
    if stream is not None and not isinstance(stream, bool):
        raise NotAChat("'stream' must be true or false.")
    if options is not None and not isinstance(options, dict):
        raise NotAChat("'stream_options' must be an object.")
    return Asked(fields, model, bool(stream), bool(options and options.get("include_usage") is True))


def for_provider(body: bytes, asked: Asked, model: str, *, refuses: frozenset[str] = frozenset()) -> bytes:
    """The body for the provider: its own model name; a stream reports usage; fields that it refuses are left out.

    A provider that refuses `stream_options` reports usage unasked; one that refuses `max_completion_tokens` knows
    the older `max_tokens`.
    """
    fields = asked.fields
    wishes = asked.is_stream and not asked.wants_usage and "stream_options" not in refuses
    found = _MODEL.findall(body)
    if len(found) == 1 and not (wishes and "stream_options" in fields) and refuses.isdisjoint(fields):
        body = _MODEL.sub(lambda _: b'"model":' + orjson.dumps(model), body, count=1)
        return body.rstrip()[:-1] + _WISH if wishes else body
    anew = {name: value for name, value in fields.items() if name not in refuses}
    anew["model"] = model
    if "max_completion_tokens" in refuses and "max_completion_tokens" in fields:
        anew.setdefault("max_tokens", fields["max_completion_tokens"])
    if wishes:
        anew["stream_options"] = {**(fields.get("stream_options") or {}), "include_usage": True}
    return orjson.dumps(anew)


def _place(error: orjson.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}"
