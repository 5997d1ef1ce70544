"""The sentence that must stand once at the end of a final answer: whether it is missing, and what to append. Pure.

Source: product page, "What the assistant must do". What is a final answer is the gateway's to say.
"""

import re
import unicodedata
from functools import cache
from typing import Final

from kontor.billing.metering.policy.packs import Pack
from kontor.core.i18n import LANGS, Lang

TAIL_CHARS: Final = 400
"""As much of an answer's end as has to be kept while it streams: the sentence with decoration, and room after it."""

_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_BETWEEN: Final = r"[\W_]+"
_ENDS: Final = r"(?:[^\w.!\n]|_)*(?:[.!\n]|$)"


def needs_notice(pack: Pack, lang: Lang, text_so_far_tail: str) -> str | None:
    """What to append to a final answer that ends like this: blank line and notice; None when nothing is missing.

    The notice counts in either language, however it is spaced, quoted, marked up or written in capitals, but only as
    a sentence that ends: "This is not medical advice, but a diagnosis" is none. An answer without text needs none.
    """
    if pack.notice is None or not text_so_far_tail.strip():
        return None
    said = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text_so_far_tail))
    if any(_pattern(pack.notice(either)).search(said) for either in LANGS):
        return None
    return f"\n\n{pack.notice(lang)}"


@cache
def _pattern(notice: str) -> re.Pattern[str]:
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", notice))
    return re.compile(r"(?<![^\W_])" + _BETWEEN.join(map(re.escape, words)) + _ENDS, re.IGNORECASE)
