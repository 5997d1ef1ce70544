"""Amounts of euros in forms: typed with a comma or a point, without points between thousands."""

from kontor.core.i18n import Lang
from kontor.core.money import decimal_of_nano


def typed_eur(text: str) -> str | None:
    """What was typed as a decimal's text; None for nothing. Whether it is one is the form's shape to say."""
    return text.strip().removesuffix("€").strip().replace(",", ".") or None


def shown_eur(nano: int | None, lang: Lang) -> str:
    """The amount as it is typed; nothing for None."""
    if nano is None:
        return ""
    text = f"{decimal_of_nano(nano, 2):f}"
    return text.replace(".", ",") if lang == "de" else text
