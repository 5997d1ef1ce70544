"""A provider's export into sums of days and models: CSV, or the JSON of OpenAI's API. Pure."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from kontor.billing.metering.provider_exports.cells import Cells, Counted, Row, Style, refused
from kontor.billing.metering.provider_exports.forms import (
    AMOUNTS,
    form_of,
    line_item,
    openai_cost,
    openai_day,
    openai_usage,
)

_DATED: Final = re.compile(r"[-@]([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|latest)$")
_MISTRAL_DATED: Final = re.compile(r"-[0-9]{4}$")


@dataclass(frozen=True, slots=True)
class Export:
    """All that a file says: which form it has, the first and the last day it covers, and the sums."""

    form: str
    first: date
    last: date
    counted: Mapping[tuple[date, str], Counted]


def read_export(provider: str, content: bytes) -> Export:
    """The export in a file of the provider's, recognised by its header. Raises ExportRefused, naming the line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(_line_of(content, error.start), "is no UTF-8 text", "ist kein UTF-8-Text") from error
    is_json = text.lstrip().startswith(("{", "["))
    form, days, found = _read_json(text) if is_json else _read_csv(text)
    owner = form.partition(" ")[0]
    if owner not in {provider, "plain"}:
        raise refused(1, f"is an export of {owner}, not of {provider}", f"ist von {owner}, nicht von {provider}")
    sums: dict[tuple[date, str], Counted] = {}
    for line, day, model, counted in found:
        key = day, canonical(provider, model)
        before = sums.get(key, Counted())
        if counted.currency and before.currency and counted.currency != before.currency:
            raise refused(line, "has another currency than the lines before", "hat eine andere Währung als zuvor")
        sums[key] = before + counted
    if not days:
        raise refused(1, "is followed by no usage", "folgt kein Verbrauch")
    return Export(form, min(days), max(days), sums)


def canonical(provider: str, model: str) -> str:
    """A model's name without what says which state of it: gpt-4.1-mini-2025-04-14 is gpt-4.1-mini."""
    name = _DATED.sub("", model.strip().lower())
    return _MISTRAL_DATED.sub("", name) if provider == "mistral" else name


# --- CSV

Found = tuple[int, date, str, Counted]


def _read_csv(text: str) -> tuple[str, set[date], list[Found]]:
    lines = text.splitlines()
    if not lines or not lines[0].strip():
        raise refused(1, "is no header", "ist keine Kopfzeile")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    days: set[date] = set()
    found: list[Found] = []
    try:
        header = [name.strip().lower() for name in next(reader)]
        form = form_of(header)
        rows = list(_rows(reader, header))
    except csv.Error as error:
        raise refused(reader.line_num, f"cannot be read: {error}", f"ist nicht lesbar: {error}") from error
    style = Style.of([row.get(name, "") for _, row in rows for name in AMOUNTS], is_german=delimiter == ";")
    for line, row in rows:
        cells = Cells(line, row, style)
        days.add(form.day(cells))
        if not form.is_empty(row):
            found.append((line, form.day(cells), form.model(cells), form.count(cells)))
    return form.name, days, found


def _rows(reader: Any, header: list[str]) -> Iterator[tuple[int, Row]]:
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise refused(
                reader.line_num,
                f"has {len(cells)} columns instead of {len(header)}",
                f"hat {len(cells)} statt {len(header)} Spalten",
            )
        yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))


# --- JSON of OpenAI's API


def _read_json(text: str) -> tuple[str, set[date], list[Found]]:
    try:
        document = json.loads(text, parse_float=Decimal)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise refused(line, f"is no JSON: {error}", f"ist kein JSON: {error}") from error
    pages = document if isinstance(document, list) else [document]
    try:
        if pages and pages[-1].get("has_more"):
            raise refused(
                1, "is not the last page: fetch all, as a JSON list", "ist nicht die letzte Seite: holen Sie alle"
            )
        buckets = [bucket for page in pages for bucket in page["data"]]
        days = {datetime.fromtimestamp(bucket["start_time"], UTC).date() for bucket in buckets}
        results = [(bucket["start_time"], result) for bucket in buckets for result in bucket["results"]]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise refused(
            1, "is no answer of OpenAI's usage or costs API", "ist keine Antwort von OpenAIs Usage- oder Costs-API"
        ) from error
    found = []
    form = "openai usage"
    for start, result in results:
        cells = Cells(1, _flat(start, result), Style())
        is_cost = "amount_value" in cells.row
        form = "openai costs" if is_cost else form
        model = line_item(cells) if is_cost else cells.text("model")
        found.append((1, openai_day(cells), model, openai_cost(cells) if is_cost else openai_usage(cells)))
    return form, days, found


def _flat(start: int, result: object) -> dict[str, str]:
    """A result of the API with the names of the CSV."""
    if not isinstance(result, dict):
        raise refused(1, "has a result that is no object", "hat ein Ergebnis, das kein Objekt ist")
    amount = result.get("amount")
    values: Iterable[tuple[str, object]] = result.items()
    if isinstance(amount, dict):
        values = [*values, ("amount_value", amount.get("value")), ("amount_currency", amount.get("currency"))]
    cells = {
        str(name): f"{value:f}" if isinstance(value, Decimal) else str(value)
        for name, value in values
        if value is not None
    }
    return {**cells, "start_time": str(start)}


def _line_of(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1
