"""Words, numbers, dates and money as a reader of one language writes them. Times are shown in Europe/Berlin.

A template says each text in both languages where it stands: `t("Verbrauch", "Usage")`. So no translation can be
missing, and a test reads all templates for words that are said outside of it.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from markupsafe import Markup

from kontor.core.clock import BERLIN, Month
from kontor.core.i18n import Lang, Text
from kontor.core.money import NANO, Money

_LOCALES: Final = {"de": Locale("de", "DE"), "en": Locale("en", "GB")}
_DAY_STYLES: Final = {
    "de": {"short": "dd.MM.yyyy", "tiny": "d. MMM"},
    "en": {"short": "dd/MM/yyyy", "tiny": "d MMM"},
}
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_HEADING: Final = re.compile(r"(</?h)([1-6])(?=[\s>])")


class Words:
    """What templates get as their helpers for words and numbers; one per language."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._locale = _LOCALES[lang]

    def t(self, de: str, en: str, **params: object) -> str:
        """The text in this language, with `{name}` places filled."""
        chosen = de if self.lang == "de" else en
        return chosen.format(**params) if params else chosen

    def tm(self, de: str, en: str, **params: object) -> Markup:
        """The same for a text of ours that holds tags; what is filled in is escaped."""
        return Markup(de if self.lang == "de" else en).format(**params)  # noqa: S704 - the template's own literal

    def both(self, text: Text) -> str:
        """A text that came with the data."""
        return text(self.lang)

    def count(self, number: int, de_one: str, de_many: str, en_one: str, en_many: str) -> str:
        """`1 Platz`, `5 Plätze`."""
        one, many = (de_one, de_many) if self.lang == "de" else (en_one, en_many)
        return f"{self.number(number)}\N{NO-BREAK SPACE}{one if number == 1 else many}"

    def number(self, value: float | Decimal, places: int = 0) -> str:
        """`12.345` in German, `12,345` in English."""
        return format_decimal(value, format=_pattern("#,##0", places), locale=self._locale)

    def percent(self, value: Decimal, places: int = 2) -> str:
        """From percent, not from a fraction: 99.5 is `99,50 %`."""
        return format_percent(
            value / 100, format=_pattern("#,##0", places) + "\N{NO-BREAK SPACE}%", locale=self._locale
        )

    def money(self, amount: Money, *, whole: bool = False) -> str:
        """`49,00 €`; `whole` leaves out cents when there are none."""
        places = 0 if whole and amount.cents % 100 == 0 else 2
        return self._currency(Decimal(amount.cents) / 100, amount.currency, places)

    def nano(self, nano: int, places: int = 2) -> str:
        """Nano-EUR as money."""
        return self._currency(Decimal(nano) / NANO, "EUR", places)

    def day(self, value: date | datetime, style: str = "long") -> str:
        """A Berlin day: `22. November 2026`; style `short` for tables."""
        local = value.astimezone(BERLIN).date() if isinstance(value, datetime) else value
        own = _DAY_STYLES[self.lang]
        return format_date(local, format=own.get(style, style), locale=self._locale)

    def time(self, value: datetime) -> str:
        """Berlin wall clock to the minute: `14:05`."""
        return format_time(value.astimezone(BERLIN), format="HH:mm", locale=self._locale)

    def at(self, value: datetime) -> str:
        """Berlin day and time: `22.11.2026, 14:05`."""
        pattern = "dd.MM.yyyy, HH:mm" if self.lang == "de" else "dd/MM/yyyy, HH:mm"
        return format_datetime(value.astimezone(BERLIN), format=pattern, locale=self._locale)

    def month(self, value: Month) -> str:
        """`November 2026`."""
        return format_date(date(value.year, value.number, 1), format="LLLL yyyy", locale=self._locale)

    def duration(self, seconds: float) -> str:
        """The two largest units: `2 Tage 3 Std.`, `5 Min. 12 Sek.`."""
        whole = max(0, round(seconds))
        day = ("Tag", "Tage") if self.lang == "de" else ("day", "days")
        hour, minute, second = ("Std.", "Min.", "Sek.") if self.lang == "de" else ("h", "min", "s")
        days, rest = divmod(whole, _DAY)
        hours, rest = divmod(rest, _HOUR)
        minutes, left = divmod(rest, _MINUTE)
        parts = [(days, day[days != 1]), (hours, hour), (minutes, minute), (left, second)]
        first = next((i for i, (n, _) in enumerate(parts) if n), len(parts) - 1)
        shown = [f"{n}\N{NO-BREAK SPACE}{unit}" for n, unit in parts[first : first + 2] if n or first == len(parts) - 1]
        return " ".join(shown)

    def size(self, count_bytes: int) -> str:
        """`1,4 MB`, in powers of ten."""
        value, units = Decimal(count_bytes), ("Byte" if self.lang == "de" else "bytes", "kB", "MB", "GB")
        step = 0
        while value >= 1000 and step < len(units) - 1:  # noqa: PLR2004 - SI prefixes
            value, step = value / 1000, step + 1
        return f"{self.number(value, 1 if step else 0)}\N{NO-BREAK SPACE}{units[step]}"

    def _currency(self, value: Decimal, currency: str, places: int) -> str:
        number = _pattern("#,##0", places)
        pattern = f"{number}\N{NO-BREAK SPACE}¤" if self.lang == "de" else f"¤{number}"
        return format_currency(value, currency, format=pattern, locale=self._locale, currency_digits=False)


def below(html: Markup, levels: int = 2) -> Markup:
    """A document's headings put below those of the page that shows it."""
    return Markup(_HEADING.sub(lambda found: f"{found[1]}{min(6, int(found[2]) + levels)}", html))  # noqa: S704 - only digits change


def _pattern(whole: str, places: int) -> str:
    return f"{whole}.{'0' * places}" if places else whole
