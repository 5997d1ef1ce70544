"""Words by which the built-in model tells German from English and what a question is about. Data."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GERMAN_EMPTY: Final = _words("""
    ich du sie er es wir ihr mir dir uns euch mich dich was wer wie wo wann warum welche welcher welches ist sind bist
    bin habe hat haben kann können gibt und oder der die das den dem des ein eine einen einem nicht auf von zu zum zur
    für mit bei im in am an ihre mein meine dein deine bitte denn auch noch mal heute
""")
_ENGLISH_EMPTY: Final = _words("""
    i you he she it we they me my your his her our their what who how where when why which is are am was do does did
    have has can could there and or the a an not on of to for with at in from please also today
""")
GERMAN: Final = _GERMAN_EMPTY | _words("hallo guten tag danke heiße heisse name zähle merke öffnungszeiten adresse")
ENGLISH: Final = _ENGLISH_EMPTY | _words("hello hi good day thanks called count remember opening hours address")
EMPTY: Final = _GERMAN_EMPTY | _ENGLISH_EMPTY
SYNONYMS: Final = {
    "geöff": "öffnu",
    "öffne": "öffnu",
    "offen": "öffnu",
    "openi": "öffnu",
    "open": "öffnu",
    "hours": "öffnu",
    "öffnu": "openi",
    "addre": "adres",
    "adres": "addre",
    "locat": "adres",
    "telep": "telef",
    "phone": "telef",
    "price": "preis",
    "koste": "preis",
    "costs": "preis",
    "cost": "preis",
}
"""Stems (first five letters) that mean the same."""
