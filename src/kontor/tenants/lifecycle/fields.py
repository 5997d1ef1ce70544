"""Text that people type, made fit to be stored and shown: trimmed, composed, free of control characters.

Owns the limits of lengths. Refuses with the field's name, so that a form can show the sentence beside it.
"""

import unicodedata
from typing import Final

from kontor.core.i18n import Text
from kontor.tenants.errors import FieldInvalid

NAME_LENGTH: Final = 200
LINE_LENGTH: Final = 120
POSTCODE_LENGTH: Final = 12
USE_CASE_LENGTH: Final = 2_000
DISPLAY_NAME_LENGTH: Final = 60
PROMPT_LENGTH: Final = 8_000


def line(field: str, value: str, *, longest: int) -> str:
    """One line of text, trimmed, in Unicode form NFC. Raises FieldInvalid: empty, too long, line breaks, NUL."""
    return _clean(field, value, longest, allowed="")


def paragraphs(field: str, value: str, *, longest: int) -> str:
    """Text with line breaks, which become line feeds, and tabs. Raises FieldInvalid as `line` does."""
    return _clean(field, value.replace("\r\n", "\n").replace("\r", "\n"), longest, allowed="\n\t")


def _clean(field: str, value: str, longest: int, *, allowed: str) -> str:
    text = unicodedata.normalize("NFC", value).strip()
    # Cc: control characters with NUL. Cs: halves of surrogate pairs, which no encoding can hold.
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in allowed for letter in text):
        raise FieldInvalid(
            field,
            Text(
                de="Der Text enthält Zeichen, die sich nicht speichern lassen (Steuerzeichen). Löschen Sie sie bitte.",
                en="The text contains characters that cannot be stored (control characters). Please remove them.",
            ),
        )
    if not text:
        raise FieldInvalid(field, Text(de="Bitte füllen Sie dieses Feld aus.", en="Please fill in this field."))
    if len(text) > longest:
        raise FieldInvalid(
            field,
            Text(
                de=f"Das sind {len(text)} Zeichen; höchstens {longest} sind möglich.",
                en=f"These are {len(text)} characters; at most {longest} are possible.",
            ),
        )
    return text
