"""What the gateway has to know of an API that it passes through: reading a request, changing it, counting, refusing.

`Dialect` is any API, `Talk` one in which a model talks to people: it can be given rules, and be answered for. Bodies
are read once and written anew from what was read, so that gateway and provider never see different requests (a name
that stands twice, an escaped name). Pure.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kontor.billing.metering.answers import Refusal
from kontor.billing.metering.dialects.events import Reader
from kontor.billing.metering.usage import Tokens
from kontor.core.i18n import Lang

Fields = dict[str, Any]
Missing = Callable[[str], str | None]
"""What has to follow a final answer that ends like this; None: nothing is missing."""

_DEAR_TIERS: Final = frozenset({"priority", "flex", "scale"})


@dataclass(slots=True)
class Asked:
    """A request, as far as the gateway needs to know it.

    `most_output` is the bound on output tokens that the caller has set, over all answers it asks for.
    """

    fields: Fields
    model: str
    is_stream: bool = False
    wants_usage: bool = True
    most_output: int | None = None


class NotUnderstood(ValueError):
    """The body is no request of this dialect, or one that we do not pass on; the message says what to do."""


def dumps(value: Any) -> bytes:
    """JSON. Raises NotUnderstood for what was read and cannot be written."""
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson reads 1,024 levels and writes 254
        raise NotUnderstood("The body is nested too deeply: at most 254 levels.") from error


class Dialect(ABC):
    """One API. `name` is how catalogues call it, `path` follows a provider's base URL."""

    name: str
    path: str

    @property
    def talk(self) -> "Talk | None":
        """Itself, if a model talks to people in it."""
        return None

    def read(self, body: bytes) -> Asked:
        """The request in a body. Raises NotUnderstood for broken JSON and for fields that we act upon."""
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise NotUnderstood(f"The body is not valid JSON: line {error.lineno}, column {error.colno}.") from error
        if not isinstance(fields, dict):
            raise NotUnderstood("The body must be a JSON object.")
        model = fields.get("model")
        if not isinstance(model, str) or not model:
            raise NotUnderstood("'model' must be a string that is not empty.")
        if fields.get("service_tier") in _DEAR_TIERS:
            raise NotUnderstood("'service_tier' must be 'default' or 'auto': other tiers have other prices.")
        return self._asked(fields, model)

    @abstractmethod
    def _asked(self, fields: Fields, model: str) -> Asked:
        """The request in an object that names a model. Raises NotUnderstood."""

    @abstractmethod
    def for_provider(
        self, asked: Asked, model: str, *, rules: str = "", refuses: frozenset[str] = frozenset()
    ) -> bytes:
        """The body for the provider: its own model name, the rules before everything else, usage reported.

        Fields that the provider refuses are left out or have the name by which it knows them.
        """

    @abstractmethod
    def counted(self, answer: Mapping[str, Any]) -> Tokens | None:
        """The counts in a whole answer; None when the provider left them out."""

    @abstractmethod
    def problem(self, refusal: Refusal, lang: Lang) -> bytes:
        """The body of an error answer, as the dialect's clients read it."""


class Talk(Dialect):
    """A dialect in which a model talks to people."""

    @property
    def talk(self) -> "Talk":
        """Itself."""
        return self

    @abstractmethod
    def said(self, asked: Asked) -> str:
        """What the person has said last: the text of the messages since the model's last answer."""

    @abstractmethod
    def reader(self, asked: Asked, missing: Missing | None = None) -> Reader:
        """Reads a stream along; what is `missing` at the end of a final answer goes in before its end."""

    @abstractmethod
    def complete(self, answer: Fields, missing: Missing) -> bool:
        """A final answer ends with what was missing; whether anything had to be changed."""

    @abstractmethod
    def answer(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        """An answer of nobody's model that cost nothing, whole."""

    @abstractmethod
    def answer_stream(self, asked: Asked, text: str, id_: str, now: int) -> bytes:
        """The same as a stream."""

    @abstractmethod
    def cut(self, lang: Lang) -> bytes:
        """The last event of a stream that the provider broke off: clients raise it as an error."""


def messages_of(fields: Fields) -> list[Any]:
    """The messages. Raises NotUnderstood."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise NotUnderstood("'messages' must be a list that is not empty.")
    return messages


def flag(fields: Fields, name: str) -> bool:
    """A field that is true, false or absent. Raises NotUnderstood."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise NotUnderstood(f"'{name}' must be true or false.")
    return bool(value)


def count(fields: Fields, name: str) -> int | None:
    """A field that is a positive whole number, or absent. Raises NotUnderstood."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise NotUnderstood(f"'{name}' must be a whole number above zero.")
    return value


def only_callers_tools(fields: Fields, allowed: frozenset[str], hosted: frozenset[str] = frozenset()) -> None:
    """Tools are run by the caller.

    Raises NotUnderstood for those that the provider runs: they are not metered by tokens, and would let an assistant
    reach the internet.
    """
    tools = fields.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise NotUnderstood("'tools' must be a list.")
    for tool in tools or ():
        kind = tool.get("type", "custom") if isinstance(tool, dict) else None
        if not isinstance(kind, str) or kind.partition("_20")[0] not in allowed:
            raise NotUnderstood(f"Tools of type {kind!r} are not available: only such as the caller runs itself.")
    for name in hosted:
        if fields.get(name):
            raise NotUnderstood(f"'{name}' is not available here. Leave it out.")


def since_last_answer(messages: Sequence[Any]) -> Iterator[str]:
    """The texts of the messages after the model's last one, of whomever: people, developers, results of tools."""
    begin = len(messages)
    while begin and not (isinstance(last := messages[begin - 1], dict) and last.get("role") == "assistant"):
        begin -= 1
    for message in messages[begin:]:
        if isinstance(message, dict) and message.get("role", "user") == "user":
            yield from texts(message.get("content"))


def texts(content: object) -> Iterator[str]:
    """The texts in a content, which is a string or a list of parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def objects(value: object) -> Iterator[Fields]:
    """The objects in a list; whatever else a provider sends is passed over."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one


def part(fields: Mapping[str, Any], name: str) -> Fields:
    """The object under a name; an empty one for anything else."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def text_in(fields: Mapping[str, Any], name: str) -> str:
    """The text under a name; an empty one for anything else."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """A named server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + dumps(data) + b"\n\n"


def data(chunk: Mapping[str, Any]) -> bytes:
    """A server-sent event without a name."""
    return b"data: " + dumps(chunk) + b"\n\n"
