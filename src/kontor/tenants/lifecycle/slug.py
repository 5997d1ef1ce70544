"""The slug: a short, readable, immutable name of a tenant for operators, logs and the cluster."""

import re
import secrets
import unicodedata
from typing import Final

_LONGEST: Final = 32
_SUFFIX: Final = 5
# Without vowels, so that chance writes no words; without letters that look alike.
_LETTERS: Final = "bcdfghjkmnpqrstvwxz23456789"
_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "&": " "})
# The legal form says nothing about who it is.
_LEGAL_FORMS: Final = re.compile(
    r"\b(gmbh( co kg)?|mbh|ug|haftungsbeschraenkt|ag|se|kg|ohg|gbr|ek|ev|eg|sarl|sa|ltd|inc|partg( mbb)?)\b"
)


def slug_of(name: str, suffix: str | None = None) -> str:
    """`mueller-soehne-k7x2m` from "Müller & Söhne GmbH": a DNS label (RFC 1123) of at most 38 characters.

    The suffix is drawn when none is given and makes it unique: 27^5, about 14 million for the same name.
    """
    plain = unicodedata.normalize("NFC", name).lower().translate(_GERMAN)
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", " ", plain).strip()
    base = re.sub(r" +", "-", _LEGAL_FORMS.sub(" ", words).strip())[:_LONGEST].strip("-")
    tail = suffix or "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return f"{base or 'firma'}-{tail}"
