"""What an end user is told at first contact. Pure.

Source: product page, "What the assistant must do"; Regulation (EU) 2024/1689 (AI Act), Art. 50(1).
"""

from typing import Final

from kontor.core.i18n import Text

_TEXT: Final = Text(
    de=(
        "Sie kommunizieren mit einem KI-gestützten Assistenten von {company}. Dieser wird von der {operator} "
        "betrieben. Bitte geben Sie keine sensiblen persönlichen Daten ein. Schreiben Sie MENSCH für einen "
        "menschlichen Mitarbeiter."
    ),
    en=(
        "You are talking to an AI assistant of {company}, operated by {operator}. Please do not enter sensitive "
        "personal data. Write HUMAN to reach a person."
    ),
)


def disclosure(company: str, operator: str) -> Text:
    """The disclosure with the names of the tenant and of its seller."""
    return _TEXT.fill(company=company, operator=operator)
