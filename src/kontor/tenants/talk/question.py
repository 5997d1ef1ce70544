"""What an end user or a colleague may write: text of bounded length without control characters. Pure."""

import unicodedata
from typing import Final

from kontor.tenants.talk.errors import MessageEmpty, MessageTooLong, MessageUnreadable

LONGEST: Final = 20_000
_ALLOWED: Final = frozenset("\n\t")


def checked_text(text: str) -> str:
    """The text with line feeds as line breaks, trimmed. Raises MessageEmpty, MessageUnreadable, MessageTooLong."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not plain:
        raise MessageEmpty
    if len(plain) > LONGEST:
        raise MessageTooLong(len(plain), LONGEST)
    # Cc: control characters with NUL. Cs: halves of surrogate pairs, which no encoding can hold.
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter not in _ALLOWED for letter in plain):
        raise MessageUnreadable
    return plain
