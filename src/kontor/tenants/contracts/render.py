"""From a reference and facts to a document: Markdown, HTML, clauses by anchor, and the SHA-256 that is accepted."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

from jinja2 import TemplateSyntaxError

from kontor.core.i18n import Lang
from kontor.tenants.contracts.catalogue import Catalogue, packaged
from kontor.tenants.contracts.errors import BrokenFile
from kontor.tenants.contracts.facts import Address, ContractFacts
from kontor.tenants.contracts.markup import BadMarkup, Block, clean, escape, number, plain, read
from kontor.tenants.contracts.required import DocumentRef, document_ref
from kontor.tenants.contracts.templates import Group, filler, group

_FENCE: Final = "+++\n"


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """What a customer reads and accepts.

    `sha256` is the hex digest of the UTF-8 bytes of `text`. `clauses` holds the words of each clause with its number by
    anchor. `summary` is shown before acceptance and is no part of the contract.
    """

    ref: DocumentRef
    lang: Lang
    title: str
    text: str
    html: str
    sha256: str
    clauses: Mapping[str, str]
    summary: tuple[str, ...]
    blocks: tuple[Block, ...]
    issuer: str
    date: date


def render(
    ref: DocumentRef, lang: Lang, facts: ContractFacts, *, catalogue: Catalogue | None = None
) -> RenderedDocument:
    """The document, the same bytes for the same facts.

    Raises MissingFact, UnknownChoice (country, industry, residency), UnknownDocument, BrokenFile.
    """
    data = catalogue or packaged()
    document_ref(ref.kind, ref.version, catalogue=data)
    file = data.documents / ref.kind / ref.version / f"{lang}.md"
    head, body = _split(file)
    seen = _facts(ref, lang, facts, data)
    title = ref.title(lang)
    try:
        source = filler(data.documents, lang, escape).fill(body, seen, title)
        text = number(f"# {title}\n\n{source.strip()}\n")
        sentences = filler(data.documents, lang, clean)
        summary = tuple(sentences.fill(sentence, seen, title) for sentence in head)
    except (BadMarkup, TemplateSyntaxError) as error:
        raise BrokenFile(file, str(error)) from error
    return _document(ref, lang, text, summary=summary, issuer=clean(facts.seller.legal_name), on=facts.date)


def reopen(ref: DocumentRef, lang: Lang, text: str, *, issuer: str, on: date) -> RenderedDocument:
    """The document of a text that was kept, for showing or printing it again; without a summary.

    `issuer` is the seller's legal name and `on` the day, as they were then.
    """
    return _document(ref, lang, text, summary=(), issuer=clean(issuer), on=on)


def _document(
    ref: DocumentRef, lang: Lang, text: str, *, summary: tuple[str, ...], issuer: str, on: date
) -> RenderedDocument:
    html, blocks = read(text)
    return RenderedDocument(
        ref=ref,
        lang=lang,
        title=ref.title(lang),
        text=text,
        html=html,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        clauses=MappingProxyType({block.anchor: plain(block.runs) for block in blocks if block.anchor}),
        summary=summary,
        blocks=blocks,
        issuer=issuer,
        date=on,
    )


def _facts(ref: DocumentRef, lang: Lang, facts: ContractFacts, data: Catalogue) -> Group:
    return group(
        "",
        {
            "seller": replace(facts.seller, address=_with_country_name(facts.seller.address, lang, data)),
            "customer": facts.customer,
            "plan": facts.plan,
            "sub_processors": facts.sub_processors,
            "date": facts.date,
            "country": data.country(facts.customer.address.country),
            "industry": data.industry(facts.customer.industry),
            "residency": data.residency(facts.customer.residency),
            "version": ref.version,
        },
        lang,
    )


def _with_country_name(address: Address, lang: Lang, data: Catalogue) -> Address:
    known = data.countries.get(address.country)
    return replace(address, country=known.name(lang)) if known else address


def _split(file: Path) -> tuple[tuple[str, ...], str]:
    """The summary's sentences and the body. A text opens with TOML between two lines of `+++`."""
    source = file.read_text(encoding="utf-8")
    parts = source.split(_FENCE, 2)
    if not source.startswith(_FENCE) or len(parts) != 3:  # noqa: PLR2004 - before, between, after
        raise BrokenFile(file, "does not open with +++, a summary and +++")
    try:
        summary = tomllib.loads(parts[1]).get("summary")
    except tomllib.TOMLDecodeError as error:
        raise BrokenFile(file, f"summary is not TOML: {error}") from error
    if not isinstance(summary, list) or not all(isinstance(one, str) for one in summary):
        raise BrokenFile(file, "summary is not a list of sentences")
    return tuple(summary), parts[2]
