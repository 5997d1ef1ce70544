"""What the acceptable-use policy prohibits, found in a text before it reaches a model. Pure.

Source of the categories: product page, "Contracts" (AUP). Owns finding; what follows from it is the gateway's. Rules
are data (`aup.toml`). A text is cut into stretches, each stretch becomes the set of words it has, and rules are
arithmetic on that set: the time is proportional to the text by construction.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Final, Protocol

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
        # The longest literal is found at each place: it stands for the shorter ones that it begins with, too.
        self._bits = {word: reduce(or_, (own.get(word[:end], 0) for end in range(1, len(word) + 1))) for word in own}
        first = {name for rule in rules.rules for name in rule.all[0].split("|")}
        self._first = re.compile(_trie(_literal(word) for name in first for word in rules.words[name]))
        self._words = re.compile(f"(?=({_trie(own)}))")
        self._harmless = re.compile(_trie(map(_literal, rules.harmless))) if rules.harmless else None

    def classify(self, text: str) -> Finding | None:
        """The finding of the first rule that holds in the first stretch in which one does."""
        reduced = plain(text)
        if self._first.search(reduced) is None:
            return None
        return next(filter(None, map(self._judge, _stretches(reduced))), None)

    def _judge(self, stretch: str) -> Finding | None:
        if self._harmless is not None:
            stretch = self._harmless.sub("  ", stretch)
        if self._first.search(stretch) is None:
            return None
        found = 0
        for word in set(self._words.findall(stretch)):
            found |= self._bits[word]
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


def _trie(literals: Iterable[str]) -> str:
    """A pattern that finds the longest of these at a place, looking at each character once."""
    tails: dict[str, list[str]] = {}
    is_end = False
    for literal in literals:
        if literal:
            tails.setdefault(literal[0], []).append(literal[1:])
        else:
            is_end = True
    branches = [re.escape(letter) + _trie(rest) for letter, rest in sorted(tails.items())]
    if not branches:
        return ""
    if len(branches) == 1 and not is_end:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if is_end else ''}"


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
