"""Filling a text from facts: a sandboxed Jinja environment in which a gap is an error and a value is only text."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import FileSystemLoader, StrictUndefined, Template, Undefined, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from kontor.core.i18n import Lang, Text
from kontor.core.money import Money
from kontor.tenants.contracts.errors import MissingFact

_LOCALE: Final[dict[Lang, str]] = {"de": "de_DE", "en": "en_GB"}


class Group(dict[str, object]):
    """Facts under one name. Knows its path, so that a missing one can be named in full."""

    def __init__(self, path: str, facts: dict[str, object]) -> None:
        super().__init__(facts)
        self.path = path


class _Missing(StrictUndefined):
    """A fact that is not there: whatever is done with it says which."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        above = f"{self._undefined_obj.path}." if isinstance(self._undefined_obj, Group) else ""
        return f"{above}{self._undefined_name}"


class Filler:
    """Fills texts of one language. `escape` makes a value harmless in the kind of text that is filled."""

    def __init__(self, parts: Path, lang: Lang, escape: Callable[[str], str]) -> None:
        self._lang = lang
        self._escape = escape
        self._compiled = lru_cache(256)(self._compile)
        self._environment = SandboxedEnvironment(
            loader=FileSystemLoader(parts),
            undefined=_Missing,
            finalize=self._value,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            comment_start_string="<!--",  # {# opens an anchor
            comment_end_string="-->",
        )

    def fill(self, source: str, facts: Group, document: str) -> str:
        """The text with all values. Raises MissingFact."""
        try:
            return self._compiled(source).render(facts)
        except UndefinedError as error:
            raise MissingFact(error.message or "?", document) from error

    def _compile(self, source: str) -> Template:
        return self._environment.from_string(source)

    def _value(self, value: object) -> str:
        if isinstance(value, Undefined):
            return str(value)  # raises, and names the fact
        return self._escape(value) if isinstance(value, str) else shown(value, self._lang)


@cache
def filler(parts: Path, lang: Lang, escape: Callable[[str], str]) -> Filler:
    """One for each folder, language and kind of text: it keeps what it has compiled, and sees changed files."""
    return Filler(parts, lang, escape)


def shown(value: object, lang: Lang) -> str:
    """How a number, an amount or a day is written in a language. Raises TypeError for what no text may show."""
    locale = _LOCALE[lang]
    match value:
        case bool():
            raise TypeError("a yes or no is asked with if, not shown")
        case int() | Decimal():
            return format_decimal(value, locale=locale)
        case Money():
            amount = format_decimal(Decimal(value.cents) / 100, format="#,##0.00", locale=locale)
            return f"{amount} {value.currency}" if lang == "de" else f"{value.currency} {amount}"
        case date():
            return format_date(value, "long", locale=locale)
        case _:
            raise TypeError(f"no text can show a {type(value).__name__}")


def group(path: str, values: dict[str, object], lang: Lang) -> Group:
    """Facts as a text sees them: bilingual ones in its language, dataclasses as groups, None and blanks left out."""
    facts: dict[str, object] = {}
    for name, value in values.items():
        seen = _seen(f"{path}.{name}" if path else name, value, lang)
        if seen is not None and (not isinstance(seen, str) or seen.strip()):
            facts[name] = seen
    return Group(path, facts)


def _seen(path: str, value: object, lang: Lang) -> object:
    match value:
        case Text():
            return value(lang)
        case Money():
            return value
        case tuple():
            return [_seen(path, one, lang) for one in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return group(path, {field.name: getattr(value, field.name) for field in fields(value)}, lang)
        case _:
            return value
