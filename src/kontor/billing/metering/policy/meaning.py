"""What each category of prohibited uses is called and means, for the people who read the counts. Pure.

Source: product page, "Contracts" (AUP), and the documents of that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kontor.billing.metering.policy.classifier import Category
from kontor.core.i18n import Text


@dataclass(frozen=True, slots=True)
class Meaning:
    """A category's name, and what requests of it ask for."""

    name: Text
    what: Text


MEANINGS: Final[Mapping[Category, Meaning]] = {
    Category.WEAPONS: Meaning(
        Text(de="Waffen", en="Weapons"),
        Text(
            de="Waffen, Sprengstoff oder Gift herstellen oder beschaffen.",
            en="Making or getting weapons, explosives or poisons.",
        ),
    ),
    Category.ILLEGAL_CONTENT: Meaning(
        Text(de="Rechtswidrige Inhalte", en="Illegal content"),
        Text(
            de="Fälschung, Drogen, Missbrauch, Schadsoftware, Einbruch, Hetze, Geldwäsche oder Drohungen.",
            en="Forgery, drugs, abuse, malware, breaking in, hatred, money laundering or threats.",
        ),
    ),
    Category.ELECTION_MANIPULATION: Meaning(
        Text(de="Wahlmanipulation", en="Election manipulation"),
        Text(
            de="Wahlen fälschen, über Kandidaten lügen oder Menschen vom Wählen abhalten.",
            en="Rigging elections, lying about candidates or keeping people from voting.",
        ),
    ),
    Category.SPAM_FRAUD: Meaning(
        Text(de="Spam und Betrug", en="Spam and fraud"),
        Text(
            de="Phishing, falsche Behördenpost, erfundene Bewertungen, Betrugsmaschen oder unverlangte Massenpost.",
            en="Phishing, posing as an office, invented reviews, scams or unasked mass mail.",
        ),
    ),
    Category.PROFESSIONAL_POSING: Meaning(
        Text(de="Vorgetäuschter Berufsstand", en="Posing as a professional"),
        Text(
            de="Sich als zugelassener Arzt, Anwalt, Steuer- oder Finanzberater ausgeben.",
            en="Posing as a licensed doctor, lawyer, tax or financial adviser.",
        ),
    ),
    Category.MASS_SURVEILLANCE: Meaning(
        Text(de="Massenüberwachung", en="Mass surveillance"),
        Text(
            de="Menschen heimlich oder massenhaft überwachen, Bewegungs- oder Gesinnungsprofile anlegen.",
            en="Watching people covertly or all of them, profiles of movement or opinion.",
        ),
    ),
    Category.AUTOMATED_DECISIONS: Meaning(
        Text(de="Entscheidungen über Menschen", en="Decisions about people"),
        Text(
            de="Über Menschen entscheiden, ohne dass ein Mensch beteiligt ist.",
            en="Deciding about people without a human being involved.",
        ),
    ),
}


def meaning_of(category: str) -> Meaning:
    """The meaning of a category; one that an operator's own rules or an older release named stands for itself."""
    try:
        return MEANINGS[Category(category)]
    except ValueError:
        return Meaning(Text(de=category, en=category), Text(de="", en=""))
