"""What the acceptable-use policy prohibits, found in a text before it reaches a model. Pure.

Source of the categories: product page, "Contracts" (AUP). Owns finding; what follows from it is the gateway's. Rules
are data (`aup.toml`). A text is cut into stretches, each stretch becomes the set of words it has, and rules are
arithmetic on that set: the time is proportional to the text by construction.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Final, Protocol

import ahocorasick
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kontor.billing.metering.policy.plain import plain

SHIPPED: Final = Path(__file__).with_name("aup.toml")
STRETCH_CHARS: Final = 480
"""What is read together; stretches overlap by half, so what lies within half of it is always seen together."""

_LONGEST_WORD: Final = 64


class Category(StrEnum):
    """A prohibited use."""

    WEAPONS = "weapons"
    ILLEGAL_CONTENT = "illegal_content"
    ELECTION_MANIPULATION = "election_manipulation"
    SPAM_FRAUD = "spam_fraud"
    PROFESSIONAL_POSING = "professional_posing"
    MASS_SURVEILLANCE = "mass_surveillance"
    AUTOMATED_DECISIONS = "automated_decisions"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a text falls under, and which rule says so. It holds nothing of the text."""

    category: Category
    rule: str


class Classifier(Protocol):
    """Says what a text falls under. Called in the gateway's event loop: it must be quick and must not wait."""

    def classify(self, text: str) -> Finding | None:
        """The first finding; None for a harmless text."""
        ...


class RuleClassifier:
    """Words and rules over them, from `file` or as shipped. `version` is the file's.

    Raises ValueError that names the file and what is wrong in it.
    """

    def __init__(self, file: Path | None = None) -> None:
        rules = _read(file or SHIPPED)
        bits = {name: 1 << index for index, name in enumerate(rules.words)}
        self.version = rules.version
        self._rules = [
            (
                tuple(reduce(or_, (bits[name] for name in either.split("|"))) for either in rule.all),
                reduce(or_, (bits[name] for name in rule.unless), 0),
                Finding(rule.category, rule.name),
            )
            for rule in rules.rules
        ]
        own: dict[str, int] = {}
        for name, words in rules.words.items():
            for word in words:
                own[_literal(word)] = own.get(_literal(word), 0) | bits[name]
        first = {name for rule in rules.rules for name in rule.all[0].split("|")}
        self._first = _automaton({_literal(word): 1 for name in first for word in rules.words[name]})
        self._words = _automaton(own)
        self._harmless = _automaton({literal: len(literal) for literal in map(_literal, rules.harmless)})

    def classify(self, text: str) -> Finding | None:
        """The finding of the first rule that holds in the first stretch in which one does."""
        reduced = plain(text)
        if not _has_any(self._first, reduced):
            return None
        return next(filter(None, map(self._judge, _stretches(reduced))), None)

    def _judge(self, stretch: str) -> Finding | None:
        stretch = _without(self._harmless, stretch)
        if not _has_any(self._first, stretch):
            return None
        found = reduce(or_, (bits for _, bits in self._words.iter(stretch)), 0)
        for all_, unless, finding in self._rules:
            if not found & unless and all(found & either for either in all_):
                return finding
        return None


def _stretches(reduced: str) -> Iterator[str]:
    """Overlapping parts that begin and end between words, as far as there are words."""
    if len(reduced) <= STRETCH_CHARS:
        yield reduced
        return
    for start in range(0, len(reduced) - STRETCH_CHARS // 2, STRETCH_CHARS // 2):
        begin = max(start, reduced.find(" ", start, start + _LONGEST_WORD))
        end = start + STRETCH_CHARS
        yield reduced[begin : max(end, reduced.find(" ", end, end + _LONGEST_WORD) + 1)]


def _literal(word: str) -> str:
    """What to look for in a reduced text: a space stands for the border of a word."""
    inner = plain(word.strip("*"))
    return inner[word.startswith("*") : len(inner) - word.endswith("*")]


def _automaton(literals: Mapping[str, int]) -> ahocorasick.Automaton:
    """Finds all of these in one pass over a text, whatever their number (Aho and Corasick, CACM 18, 1975)."""
    automaton = ahocorasick.Automaton()
    for literal, value in (literals or {"\0": 0}).items():  # one without words refuses to search; texts have no NUL
        automaton.add_word(literal, value)
    automaton.make_automaton()
    return automaton


def _has_any(automaton: ahocorasick.Automaton, text: str) -> bool:
    return next(automaton.iter(text), None) is not None


def _without(automaton: ahocorasick.Automaton, text: str) -> str:
    """Two spaces for the longest of the automaton's literals at each place; their values are their lengths."""
    parts, at = [], 0
    for end, length in automaton.iter_long(text):
        parts.append(text[at : end + 1 - length])
        at = end + 1
    return "  ".join((*parts, text[at:])) if parts else text


_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
_Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Word = Annotated[str, StringConstraints(pattern=r"^\*?[^*]*[^\W_][^*]*\*?$")]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    category: Category
    name: _Filled
    all: Annotated[list[_Filled], Field(min_length=1)]
    unless: list[_Name] = []


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: _Filled
    harmless: list[_Word] = []
    words: Mapping[_Name, Annotated[list[_Word], Field(min_length=1)]]
    rules: Annotated[list[_Rule], Field(min_length=1)]


def _read(file: Path) -> _File:
    try:
        rules = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = ", ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError(f"{file}: {wrong}") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error
    for rule in rules.rules:
        for name in (*(name for either in rule.all for name in either.split("|")), *rule.unless):
            if name not in rules.words:
                raise ValueError(f"{file}: rule {rule.name}: there are no words called {name!r}")
    return rules
