"""A rendered document as PDF/A-2: title, page numbers, and the version and SHA-256 of what is accepted on each page.

The SHA-256 is that of the Markdown text, which both languages' acceptance stores, not of the PDF's bytes.
"""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, time
from importlib.resources import files
from typing import Final

import typst

from kontor.core.i18n import Text
from kontor.tenants.contracts.markup import Block, Run
from kontor.tenants.contracts.render import RenderedDocument

_TEMPLATE: Final = "document.typ"
_PAGE: Final = Text(de="Seite", en="Page")
_VERSION: Final = Text(de="Fassung", en="version")
_UNPRINTABLE: Final = re.compile(
    r"[^\n -~\u00a0-\u024f\u0391-\u03a1\u03a3-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u2027\u2030-\u203a€₣−×≤≥]"
)


def to_pdf(rendered: RenderedDocument) -> bytes:
    """The same bytes for the same document, on every machine: only typst's own fonts are used.

    A character that these do not hold (an emoji in a company's name) is printed as its code point, as in [U+1F950].
    """
    document = {
        "title": printable(rendered.title),
        "issuer": printable(rendered.issuer),
        "lang": rendered.lang,
        "footer": printable(f"{rendered.title} · {_VERSION(rendered.lang)} {rendered.ref.version} · {rendered.issuer}"),
        "page": _PAGE(rendered.lang),
        "sha256": rendered.sha256,
        "blocks": [asdict(_printable_block(block)) for block in rendered.blocks],
    }
    pdf = typst.compile(
        (files("kontor.tenants.contracts") / _TEMPLATE).read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        pdf_standards="a-2a",
        sys_inputs={"document": json.dumps(document, ensure_ascii=False)},
        timestamp=datetime.combine(rendered.date, time(), UTC),
    )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no single PDF")
    return pdf


def printable(text: str) -> str:
    """The text with each character that the fonts do not hold as its code point."""
    return _UNPRINTABLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def _printable_block(block: Block) -> Block:
    return Block(
        kind=block.kind,
        runs=_printable_runs(block.runs),
        level=block.level,
        anchor=block.anchor,
        rows=tuple(tuple(_printable_runs(cell) for cell in row) for row in block.rows),
    )


def _printable_runs(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(Run(printable(run.text), bold=run.bold, italic=run.italic) for run in runs)
