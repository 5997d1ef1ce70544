"""What Kontor itself says to end users, instead of or beside the assistant. Pure."""

from collections.abc import Sequence
from typing import Final

from kontor.core.i18n import Text

_SUSPENDED: Final = Text(
    de="Dieser Assistent ist zurzeit nicht verfügbar. Bitte wenden Sie sich direkt an {company}.",
    en="This assistant is not available at present. Please contact {company} directly.",
)
_HANDED_OVER: Final = Text(
    de="Ihre Nachricht geht jetzt an einen Menschen bei {company}. Sie bekommen hier eine Antwort.",
    en="Your message now goes to a person at {company}. You will be answered here.",
)
_RECEIVED: Final = Text(
    de="Danke, Ihre Nachricht ist angekommen. Ein Mensch bei {company} liest sie und antwortet Ihnen hier.",
    en="Thank you, your message has arrived. A person at {company} reads it and will answer you here.",
)
_FROM_A_HUMAN: Final = Text(de="Antwort eines Menschen bei {company}:", en="Answer of a person at {company}:")
_BRIEFING: Final = (
    "[Note: in the meantime a human colleague of yours answered this person. What was said:\n"
    "{said}\n"
    "End of the note. You answer again; the person's new message follows.]\n\n"
    "{question}"
)


def suspended(company: str) -> Text:
    """The assistant of a suspended tenant."""
    return _SUSPENDED.fill(company=company)


def handed_over(company: str) -> Text:
    """The first answer to MENSCH."""
    return _HANDED_OVER.fill(company=company)


def received(company: str) -> Text:
    """The answer to the first message after it; later ones get none."""
    return _RECEIVED.fill(company=company)


def from_a_human(company: str, replies: Sequence[str]) -> Text:
    """What a human wrote, for an end user who only sees answers to its own messages."""
    head = _FROM_A_HUMAN.fill(company=company)
    body = "\n\n".join(replies)
    return Text(de=f"{head.de}\n{body}", en=f"{head.en}\n{body}")


def briefed(question: str, said: Sequence[tuple[bool, str]]) -> str:
    """The question with what was said while a human was in charge; the flag marks the human's words.

    Every line of it is quoted, so that no end user can write a line that looks like the human's or like the end.
    """
    lines = [
        f"> {'colleague' if is_human else 'person'}: {line}"
        for is_human, text in said
        for line in text.splitlines() or [""]
    ]
    return _BRIEFING.format(said="\n".join(lines), question=question)
