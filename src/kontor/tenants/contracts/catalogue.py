"""Kinds of documents, countries, industries, data residencies and model deployments: data files, read once.

Owns their shape and what must agree between them. The files lie in `data/`; an operator may load a folder of its own.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError

from kontor.core.i18n import LANGS, Text
from kontor.tenants.contracts.errors import BrokenFile, UnknownChoice

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Pack = Literal["general", "medical", "legal", "finance"]
DataProtectionLaw = Literal["gdpr", "revdsg"]
Flag = Literal["dora", "section_203"]
Duty = Literal["accept", "provide"]
Zone = Literal["de", "eu", "world"]

PACKAGE: Final = Path(__file__).parent
_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Country:
    """Where a customer may sit. `code` is ISO 3166-1 alpha-2, `currency` ISO 4217."""

    __pydantic_config__ = _STRICT

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    name: Text
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    data_protection_law: DataProtectionLaw
    authority: Text
    secrecy_norm: Text


@dataclass(frozen=True, slots=True)
class Industry:
    """What a customer does: chooses the policy pack and the annexes."""

    __pydantic_config__ = _STRICT

    key: Key
    name: Text
    pack: Pack
    dora: bool = False
    section_203: bool = False

    def has(self, flag: Flag) -> bool:
        """Whether the flag is set."""
        return self.dora if flag == "dora" else self.section_203


@dataclass(frozen=True, slots=True)
class Residency:
    """The tenant's choice of where its content may be processed; a deployment fits when its zone is in `zones`."""

    __pydantic_config__ = _STRICT

    key: Key
    name: Text
    promise: Text
    zones: frozenset[Zone]
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """Who may process customers' content for us, where, on which basis. Only reachable ones belong in an annex."""

    __pydantic_config__ = _STRICT

    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    legal_entity: Filled
    seat: Text
    zone: Zone
    region: Text
    purpose: Text
    transfer_basis: Text
    contract: Text


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document, its versions in order of time, and who gets it: every condition that is set must hold."""

    __pydantic_config__ = _STRICT

    key: Key
    title: Text
    duty: Duty
    versions: tuple[Filled, ...]
    laws: frozenset[DataProtectionLaw] | None = None
    countries: frozenset[str] | None = None
    plans: frozenset[str] | None = None
    flag: Flag | None = None

    def applies_to(self, country: Country, industry: Industry, plan: str) -> bool:
        """Whether a customer of this country, industry and plan gets it."""
        return (
            (self.laws is None or country.data_protection_law in self.laws)
            and (self.countries is None or country.code in self.countries)
            and (self.plans is None or plan in self.plans)
            and (self.flag is None or industry.has(self.flag))
        )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All data of contracts; mappings keep the order of their files, which is the order of showing."""

    kinds: Mapping[str, DocumentKind]
    countries: Mapping[str, Country]
    industries: Mapping[str, Industry]
    residencies: Mapping[str, Residency]
    deployments: Mapping[str, Deployment]
    documents: Path

    def country(self, code: str) -> Country:
        """Raises UnknownChoice."""
        return _choose(self.countries, code, Text(de="Das Land", en="country"))

    def industry(self, key: str) -> Industry:
        """Raises UnknownChoice."""
        return _choose(self.industries, key, Text(de="Die Branche", en="industry"))

    def residency(self, key: str) -> Residency:
        """Raises UnknownChoice."""
        return _choose(self.residencies, key, Text(de="Den Datenstandort", en="data residency"))

    def fitting(self, residency: str) -> tuple[Deployment, ...]:
        """The deployments that this residency permits, reachable or not. Raises UnknownChoice.

        Source: product page, "Contracts" (data residency).
        """
        zones = self.residency(residency).zones
        return tuple(one for one in self.deployments.values() if one.zone in zones)


@cache
def packaged() -> Catalogue:
    """The catalogue that ships with Kontor."""
    return load(PACKAGE / "data", PACKAGE / "documents")


def load(data: Path, documents: Path) -> Catalogue:
    """Reads and checks all files. Raises BrokenFile, which names the file and the place."""
    catalogue = Catalogue(
        kinds=_read(data / "kinds.toml", "key", TypeAdapter(DocumentKind)),
        countries=_read(data / "countries.toml", "code", TypeAdapter(Country)),
        industries=_read(data / "industries.toml", "key", TypeAdapter(Industry)),
        residencies=_read(data / "residencies.toml", "key", TypeAdapter(Residency)),
        deployments=_read(data / "deployments.toml", "key", TypeAdapter(Deployment)),
        documents=documents,
    )
    _check_kinds(catalogue, data / "kinds.toml")
    if sum(one.is_default for one in catalogue.residencies.values()) != 1:
        raise BrokenFile(data / "residencies.toml", "exactly one residency is the default")
    return catalogue


T = TypeVar("T", Country, Industry, Residency, Deployment, DocumentKind)


def _read(file: Path, key: str, shape: TypeAdapter[T]) -> dict[str, T]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BrokenFile(file, "does not exist") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrokenFile(file, f"is not TOML: {error}") from error
    if not tables:
        raise BrokenFile(file, "is empty")
    return {name: _entry(file, name, key, table, shape) for name, table in tables.items()}


def _entry(file: Path, name: str, key: str, table: object, shape: TypeAdapter[T]) -> T:
    if not isinstance(table, dict):
        raise BrokenFile(file, f"[{name}] is not a table")
    try:
        entry = shape.validate_python({key: name, **table})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BrokenFile(file, f"[{name}] {place}: {first['msg']}") from error
    for place, text in _texts(entry):
        if not (text.de.strip() and text.en.strip()):
            raise BrokenFile(file, f"[{name}] {place}: empty in one language")
    return entry


def _texts(entry: T) -> Iterator[tuple[str, Text]]:
    for field in fields(entry):
        value: object = getattr(entry, field.name)
        if isinstance(value, Text):
            yield field.name, value


def _check_kinds(catalogue: Catalogue, file: Path) -> None:
    for kind in catalogue.kinds.values():
        if not kind.versions:
            raise BrokenFile(file, f"[{kind.key}] versions: at least one is needed")
        if list(kind.versions) != sorted(set(kind.versions)):
            raise BrokenFile(file, f"[{kind.key}] versions: oldest first, none twice")
        unknown = (kind.countries or frozenset()) - set(catalogue.countries)
        if unknown:
            raise BrokenFile(file, f"[{kind.key}] countries: {', '.join(sorted(unknown))} is in no countries.toml")
        for version in kind.versions:
            for lang in LANGS:
                text = catalogue.documents / kind.key / version / f"{lang}.md"
                if not text.is_file():
                    raise BrokenFile(file, f"[{kind.key}] versions: {version} has no text {text}")


def _choose(entries: Mapping[str, T], key: str, what: Text) -> T:
    found = entries.get(key)
    if found is None:
        raise UnknownChoice(what, key, tuple(entries))
    return found
