"""German and English side by side: a text that a customer reads exists in both or not at all."""

from dataclasses import dataclass
from typing import Final, Literal

Lang = Literal["de", "en"]
LANGS: Final[tuple[Lang, ...]] = ("de", "en")
DEFAULT: Final[Lang] = "de"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or more, in both languages; `{name}` places are filled by `fill`."""

    de: str
    en: str

    def __call__(self, lang: Lang) -> str:
        """The text in one language."""
        return self.de if lang == "de" else self.en

    def fill(self, **params: object) -> "Text":
        """The same text with its places filled in, in both languages."""
        return Text(de=self.de.format(**params), en=self.en.format(**params))


def as_lang(value: str | None) -> Lang | None:
    """The language, when it is one that we speak."""
    return value if value in LANGS else None


def negotiate(accept_language: str | None) -> Lang:
    """The first of our languages by weight in an Accept-Language header (RFC 9110, 12.5.4); German without one."""
    best: tuple[float, int] | None = None
    chosen: Lang = DEFAULT
    for position, part in enumerate((accept_language or "").split(",")):
        tag, _, params = part.strip().partition(";")
        lang = as_lang(tag.split("-")[0].strip().lower())
        if lang is None:
            continue
        weight = _weight(params)
        if weight > 0 and (best is None or (weight, -position) > best):
            best, chosen = (weight, -position), lang
    return chosen


def _weight(params: str) -> float:
    name, _, value = params.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
