"""Customers' words made harmless, clauses numbered, Markdown read into blocks and HTML.

The texts are a small Markdown: headings, one paragraph a line, bullets, tables, emphasis; nothing else is read as
markup. A line that ends in `{#anchor}` is a clause; `{@anchor}` becomes the number of that clause; a heading that ends
in `{=A1}` gives the label of its section itself. A value that is filled in is one line whose braces are escaped, so
it can be none of these.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ANCHOR: Final = re.compile(r"\s+\{#([a-z0-9-]+)\}$")
_REFERENCE: Final = re.compile(r"(?<!\\)\{@([a-z0-9-]+)\}")
_LABEL: Final = re.compile(r"\s+\{=([A-Z0-9]+)\}$")
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|&~!])")
_LINE_START: Final = re.compile(r"^(?:([-+#=])|(\d{1,9})([.)]))")
_ZERO_WIDTH_JOINER: Final = "\u200d"  # holds emoji together
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co"})  # Cn stays: emoji newer than this Python


class BadMarkup(ValueError):
    """A text of ours: an anchor twice, or a reference to a clause that is not there."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text of one look."""

    text: str
    bold: bool = False
    italic: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, bullet or table, for printing. `rows` only in a table, whose first row is its head."""

    kind: Literal["heading", "paragraph", "item", "table"]
    runs: tuple[Run, ...] = ()
    level: int = 0
    anchor: str | None = None
    rows: tuple[tuple[tuple[Run, ...], ...], ...] = ()


def clean(value: str) -> str:
    """One line in composed form (NFC) without control characters and without marks that turn the reading direction."""
    visible = (
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", value)
        if char.isspace() or char == _ZERO_WIDTH_JOINER or unicodedata.category(char) not in _INVISIBLE
    )
    return " ".join("".join(visible).split())


def escape(value: str) -> str:
    """The cleaned value as Markdown that reads as exactly these characters."""
    inline = _SPECIAL.sub(r"\\\1", clean(value))
    return _LINE_START.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", inline)


def number(text: str) -> str:
    """Sections numbered 1, 2, 3, clauses 1.1, 1.2, and references filled in. Raises BadMarkup."""
    labels: dict[str, str] = {}
    lines: list[str] = []
    section, label, clause = 0, "", 0
    for line in text.split("\n"):
        anchor = _ANCHOR.search(line)
        if line.startswith("## "):
            given = _LABEL.search(line)
            section += given is None
            label, clause = given.group(1) if given else str(section), 0
            lines.append(line[: given.start()] if given else f"## {label}. {line[3:]}")
        elif anchor:
            clause += 1
            if anchor.group(1) in labels:
                raise BadMarkup(f"the anchor {anchor.group(1)} stands twice")
            labels[anchor.group(1)] = f"{label}.{clause}"
            lines.append(f"{label}.{clause} {line}")
        else:
            lines.append(line)

    def numbered(reference: re.Match[str]) -> str:
        if reference.group(1) not in labels:
            raise BadMarkup(f"there is no clause {reference.group(1)} to refer to")
        return labels[reference.group(1)]

    return _REFERENCE.sub(numbered, "\n".join(lines))


def read(text: str) -> tuple[str, tuple[Block, ...]]:
    """HTML in which each clause is a paragraph whose id is its anchor, and the same in order for printing.

    Raw HTML in the text stays text.
    """
    reader = _reader()
    tokens = reader.parse(text)
    html: str = reader.renderer.render(tokens, reader.options, {})
    return html, _blocks(tokens)


def plain(runs: tuple[Run, ...]) -> str:
    """The words alone."""
    return "".join(run.text for run in runs)


def _blocks(tokens: list[Token]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    rows: list[tuple[tuple[Run, ...], ...]] = []
    cells: list[tuple[Run, ...]] = []
    depth = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        depth += {"bullet_list_open": 1, "bullet_list_close": -1}.get(token.type, 0)
        if token.type == "inline" and before is not None:
            runs = _runs(token)
            if before.type == "heading_open":
                blocks.append(Block("heading", runs, level=int(before.tag[1:])))
            elif before.type == "paragraph_open":
                anchor = before.attrGet("id")
                blocks.append(Block("item" if depth else "paragraph", runs, anchor=str(anchor) if anchor else None))
            else:
                cells.append(runs)
        elif token.type == "tr_close":
            rows.append(tuple(cells))
            cells = []
        elif token.type == "table_close":
            blocks.append(Block("table", rows=tuple(rows)))
            rows = []
    return tuple(blocks)


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("zero").enable(["heading", "list", "table", "emphasis", "escape"])
    reader.core.ruler.after("block", "anchors", _anchors)
    return reader


def _anchors(state: StateCore) -> None:
    for before, token in zip(state.tokens, state.tokens[1:], strict=False):
        found = _ANCHOR.search(token.content) if token.type == "inline" else None
        if found and before.type == "paragraph_open":
            before.attrSet("id", found.group(1))
            token.content = token.content[: found.start()]


def _runs(token: Token) -> tuple[Run, ...]:
    runs: list[Run] = []
    bold = italic = False
    for child in token.children or []:
        if child.type in {"strong_open", "strong_close"}:
            bold = child.type == "strong_open"
        elif child.type in {"em_open", "em_close"}:
            italic = child.type == "em_open"
        else:
            runs.append(Run(child.content or "\n", bold=bold, italic=italic))
    return tuple(runs)
