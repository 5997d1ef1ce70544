"""Text as the classifier reads it: small Latin words with single spaces, whatever the writer did to hide them. Pure.

Everything here takes time in proportion to the text.
"""

import re
import unicodedata
from typing import Final

_LOOKALIKES: Final = dict(
    zip(
        "АаВЕеІіЈјКкМмНОоРрСсЅѕТтУуХхҮүԁԛԝһӏɡɑΑαΒΕεΖΗΙιΚκΜΝΟοΡρΤτΥυΧχν",
        "AaBEeIiJjKkMmHOoPpCcSsTtYyXxYydqwhlgaAaBEeZHIiKkMNOoPpTtYuXxv",
        strict=True,
    )
)
"""Cyrillic and Greek letters that are drawn like Latin ones."""

_GERMAN: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS"}
_DIAERESIS: Final = "\u0308"
_WHOLE_SENTENCE: Final = 0xFDFA  # an Arabic ligature that NFKC makes eighteen characters of
_INVISIBLE: Final = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"

# Marks go before NFKC sorts them, which takes time by the square of their number; a u with two dots becomes ue.
_TABLE: Final[dict[int, str | None]] = (
    {code: None for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code))}
    | dict.fromkeys((*map(ord, _INVISIBLE), *range(0xFE00, 0xFE10)))
    | {ord(letter): latin for letter, latin in _LOOKALIKES.items()}
    | {ord(_DIAERESIS): "e", _WHOLE_SENTENCE: " "}
)

_SPACED: Final = re.compile(r"(?<![^\W_])[^\W_]([ .*_·-])(?:[^\W_]\1){2,}[^\W_](?![^\W_])")
_LEET: Final = re.compile(r"(?:[a-z]|(?<![a-z0-9@$])[0134570@$](?=[0-9@$]*[a-z]))[a-z0-9@$]*")
_LEET_SIGNS: Final = "013457@$"
_LEET_HINT: Final = re.compile(r"[a-z][013457@$]|[013457@$][a-z]")
_LETTERS: Final = str.maketrans(_LEET_SIGNS, "oieastas")
_WORD: Final = re.compile(r"[^\W_]+")

# ASCII needs no pattern: its letters in lower case, its digits, and a space for everything else.
_ASCII: Final = bytes(ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(128)
_SINGLE_LETTERS: Final = re.compile(r" \w \w \w \w ")


def plain(text: str) -> str:
    """The text's words, each with a space before it and after it.

    Umlauts are written out; what looks Latin is Latin; "B o m b e" is one word; b0mb stands there as bomb too.
    """
    for letter, written_out in () if text.isascii() else _GERMAN.items():
        text = text.replace(letter, written_out)
    if text.isascii():
        letters = text.encode()
        words = f" {b' '.join(letters.translate(_ASCII).split()).decode()} "
        has_signs = len(letters.translate(None, _LEET_SIGNS.encode())) < len(letters)
        if not has_signs and _SINGLE_LETTERS.search(words) is None:
            return words
        text = text.lower()
    else:  # NFKC can bring letters of the table, and casefold too
        text = unicodedata.normalize("NFKC", text.translate(_TABLE)).casefold().translate(_TABLE)
    text = _SPACED.sub(_joined, text)
    if _LEET_HINT.search(text):
        text = _LEET.sub(_read_leet, text)
    return f" {' '.join(_WORD.findall(text))} "


def _joined(match: re.Match[str]) -> str:
    return match[0][::2]


def _read_leet(match: re.Match[str]) -> str:
    token = match[0]
    return token if token.isalpha() else f"{token} {token.translate(_LETTERS)}"
