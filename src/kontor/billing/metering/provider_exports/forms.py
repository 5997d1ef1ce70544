"""The forms of providers' exports, recognised by their headers. Pure.

Which columns are known, and from where (looked up in November 2026, from published examples; we have no account there):

- OpenAI's usage as CSV of its dashboard: `start_time` (or `start_time_iso`), `model`, `num_model_requests`,
  `input_tokens` (with cached ones), `input_cached_tokens`, `output_tokens`; times without usage have only times. The
  pages of `/v1/organization/usage/completions` as JSON have the same names (developers.openai.com, "Usage").
- OpenAI's costs as CSV: `amount_value`, `amount_currency` and, grouped by line item, `line_item`
  ("gpt-4.1-mini-2025-04-14, cached input"); the same as JSON of `/v1/organization/costs`.
- Anthropic's console: usage with `usage_date_utc`, `model_version` and input tokens in four columns that exclude each
  other; costs with `model` (a display name) and `cost_usd`. It exports no number of requests.
- Mistral's columns are published nowhere that we found. Use the plain form, which is also for all others:
  day, model, requests, input_tokens, cached_tokens, output_tokens, cost, currency. Only day and model must be there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from kontor.billing.metering.provider_exports.cells import Cells, Counted, Row, refused

AMOUNTS: Final = ("cost", "cost_usd", "amount_value")


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of export is read. `marks` are the columns by which it is recognised."""

    name: str
    marks: frozenset[str]
    day: Callable[[Cells], date]
    model: Callable[[Cells], str]
    count: Callable[[Cells], Counted]
    is_empty: Callable[[Row], bool] = lambda _: False


def openai_day(cells: Cells) -> date:
    """The UTC day in which the time begins."""
    return cells.day("start_time" if cells.row.get("start_time") else "start_time_iso")


def openai_usage(cells: Cells) -> Counted:
    """Tokens and requests; input includes cached tokens."""
    return Counted(
        cells.count("num_model_requests"),
        cells.count("input_tokens", needed=True),
        cells.count("input_cached_tokens"),
        cells.count("output_tokens", needed=True),
    )


def openai_cost(cells: Cells) -> Counted:
    """The amount of a line item."""
    cost, rounding = cells.amount("amount_value")
    return Counted(cost=cost, currency=cells.currency("amount_currency"), rounding=rounding)


def line_item(cells: Cells) -> str:
    """The model of "gpt-4.1-mini-2025-04-14, cached input"; other items keep their name."""
    return cells.text("line_item").partition(",")[0]


_ANTHROPIC_INPUT: Final = (
    "usage_input_tokens_no_cache",
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
    "usage_input_tokens_cache_read",
)


def _anthropic_usage(cells: Cells) -> Counted:
    cached = cells.count("usage_input_tokens_cache_read", needed=True)
    return Counted(
        input_tokens=sum(cells.count(name, needed=True) or 0 for name in _ANTHROPIC_INPUT),
        cached_tokens=cached,
        output_tokens=cells.count("usage_output_tokens", needed=True),
    )


def _anthropic_cost(cells: Cells) -> Counted:
    cost, rounding = cells.amount("cost_usd")
    return Counted(cost=cost, currency="USD", rounding=rounding)


def _anthropic_display_name(cells: Cells) -> str:
    """Claude Haiku 4.5 is claude-haiku-4-5."""
    return cells.text("model").lower().replace(" ", "-").replace(".", "-")


def _plain(cells: Cells) -> Counted:
    cost, rounding = cells.amount("cost")
    currency = cells.currency("currency")
    if cost is not None and currency is None:
        raise refused(cells.line, "has a cost without a currency", "hat Kosten ohne Währung")
    return Counted(
        cells.count("requests"),
        cells.count("input_tokens"),
        cells.count("cached_tokens"),
        cells.count("output_tokens"),
        cost,
        currency,
        rounding,
    )


_FORMS: Final = (
    Form(
        "openai usage",
        frozenset({"start_time", "num_model_requests", "input_tokens", "output_tokens"}),
        openai_day,
        lambda cells: cells.text("model"),
        openai_usage,
        lambda row: not row.get("num_model_requests") and not row.get("input_tokens"),
    ),
    Form(
        "openai costs",
        frozenset({"start_time", "amount_value", "amount_currency"}),
        openai_day,
        line_item,
        openai_cost,
        lambda row: not row.get("amount_value"),
    ),
    Form(
        "anthropic usage",
        frozenset({"usage_date_utc", "model_version", "usage_output_tokens", *_ANTHROPIC_INPUT}),
        lambda cells: cells.day("usage_date_utc"),
        lambda cells: cells.text("model_version"),
        _anthropic_usage,
    ),
    Form(
        "anthropic costs",
        frozenset({"usage_date_utc", "model", "cost_usd"}),
        lambda cells: cells.day("usage_date_utc"),
        _anthropic_display_name,
        _anthropic_cost,
    ),
    Form(
        "plain",
        frozenset({"day", "model"}),
        lambda cells: cells.day("day"),
        lambda cells: cells.text("model"),
        _plain,
    ),
)


def form_of(header: Sequence[str]) -> Form:
    """The form with this header. Raises ExportRefused."""
    if len(set(header)) < len(header):
        raise refused(1, "names a column twice", "nennt eine Spalte zweimal")
    form = next((form for form in _FORMS if form.marks <= set(header)), None)
    if form is None:
        columns = "day,model,requests,input_tokens,cached_tokens,output_tokens,cost,currency"
        raise refused(
            1,
            f"is no header that we know; rename the columns to {columns}",
            f"ist keine bekannte Kopfzeile; benennen Sie die Spalten in {columns} um",
        )
    return form
