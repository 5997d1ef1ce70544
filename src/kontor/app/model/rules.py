"""What the built-in model answers. Pure: the same conversation always gets the same answer.

It has no knowledge. It quotes the system prompt, remembers what the user said in this conversation, counts and adds,
and says so when it does not know. Rules are tried in order; the first that answers wins.
"""

import re
from collections.abc import Callable
from typing import Final

from kontor.app.model.conversation import Conversation
from kontor.app.model.words import EMPTY, ENGLISH, GERMAN, SYNONYMS
from kontor.core.i18n import Lang, Text

Rule = Callable[[Conversation, Lang], str | None]

MOST_COUNTED: Final = 2000

_WORD: Final = re.compile(r"[^\W\d_]+")

_NAME_SAID: Final = re.compile(
    r"\b(?:mein name ist|ich hei(?:ß|ss)e|my name is|i am called|call me)\s+([^\W\d_][\w'’-]*)", re.IGNORECASE
)
_NAME_ASKED: Final = re.compile(
    r"\bwie (?:hei(?:ß|ss)e ich|ist mein name)|\bwhat(?:'s| is) my name|\bwhat am i called", re.IGNORECASE
)
_NOTE_SAID: Final = re.compile(
    r"\b(?:merke? dir|remember)\b[:,]?\s*(?:bitte |please )?(?:dass |that )?(.+)", re.IGNORECASE
)
_NOTE_ASKED: Final = re.compile(
    r"\bwas (?:solltest|hast) du (?:dir )?\w*\s?(?:ge)?merk|\bwhat did i (?:ask|tell) you to remember", re.IGNORECASE
)
_COUNT: Final = re.compile(r"\b(?:zähle bis|count to)\s+(\d{1,4})\b", re.IGNORECASE)
_SUM: Final = re.compile(r"(-?\d{1,9})\s*([+*×x-]|plus|minus|mal|times)\s*(-?\d{1,9})", re.IGNORECASE)
_GREETING: Final = re.compile(
    r"^\W*(?:hallo|guten (?:tag|morgen|abend)|grüß gott|servus|moin|hi|hello|hey|good (?:day|morning|evening))\b\W*$",
    re.IGNORECASE,
)
_WHO: Final = re.compile(r"\bwer (?:bist du|sind sie)|\bwho are you|\bwhat are you", re.IGNORECASE)
_THANKS: Final = re.compile(r"^\W*(?:danke|vielen dank|thanks|thank you)\b", re.IGNORECASE)
_SPEAKS: Final = re.compile(
    r"\b(?:antworte|answer|reply|respond|sprich|speak)\w*\b[^.\n]*\b(?:(englisch|english)|deutsch|german)\b",
    re.IGNORECASE,
)

_HELLO: Final = Text(de="Guten Tag! Wie kann ich Ihnen helfen?", en="Hello! How can I help you?")
_NICE: Final = Text(
    de="Freut mich, {name}! Wie kann ich Ihnen helfen?", en="Nice to meet you, {name}! How can I help you?"
)
_YOUR_NAME: Final = Text(de="Sie heißen {name}.", en="Your name is {name}.")
_NO_NAME: Final = Text(
    de="Das haben Sie mir in diesem Gespräch noch nicht gesagt.", en="You have not told me yet in this conversation."
)
_NOTED: Final = Text(de="Ich habe es mir gemerkt.", en="I will remember it.")
_NOTE: Final = Text(de="Sie sagten: {note}", en="You said: {note}")
_RESULT: Final = Text(de="Das Ergebnis ist {number}.", en="The result is {number}.")
_WELCOME: Final = Text(de="Gern geschehen!", en="You are welcome!")
_RESULTS: Final = Text(de="Das Werkzeug meldet: {results}", en="The tool returned: {results}")
_IMAGES: Final = Text(de="{number} Bilder", en="{number} images")
_IMAGE: Final = Text(de="1 Bild", en="1 image")
_IN_SHORT: Final = Text(de="Ich bin ein KI-gestützter Assistent.", en="I am an AI assistant.")
_UNKNOWN: Final = Text(
    de="Dazu habe ich leider keine Angaben. Fragen Sie mich gern etwas anderes.",
    en="I am afraid I have no information about that. Please ask me something else.",
)


def answer(conversation: Conversation) -> str:
    """The assistant's next message; never empty. It names how many images came with the question."""
    lang = language(conversation)
    said = next(filter(None, (rule(conversation, lang) for rule in _RULES)), _UNKNOWN(lang))
    return f"{said} ({_images(conversation.images)(lang)})" if conversation.images else said


def _images(number: int) -> Text:
    return _IMAGE if number == 1 else _IMAGES.fill(number=number)


def language(conversation: Conversation) -> Lang:
    """The language of the last message; when it cannot be told the one the prompt asks for, else the prompt's own."""
    for text in (conversation.question, *reversed(conversation.earlier)):
        if (lang := _language_of(text)) is not None:
            return lang
    if wish := _SPEAKS.search(conversation.persona):
        return "en" if wish[1] else "de"
    return _language_of(conversation.persona) or "de"


def _language_of(text: str) -> Lang | None:
    words = [word.lower() for word in _WORD.findall(text)]
    german = sum(word in GERMAN for word in words) + 2 * any(letter in text.lower() for letter in "äöüß")
    english = sum(word in ENGLISH for word in words)
    return None if german == english else "de" if german > english else "en"


def _reports(conversation: Conversation, lang: Lang) -> str | None:
    """What tools returned, when they spoke last."""
    results = "\n".join(conversation.results)
    return _RESULTS.fill(results=results)(lang) if conversation.results else None


def _names_itself(conversation: Conversation, lang: Lang) -> str | None:
    said = _NAME_SAID.search(conversation.question)
    return _NICE.fill(name=said[1])(lang) if said else None


def _recalls_name(conversation: Conversation, lang: Lang) -> str | None:
    if not _NAME_ASKED.search(conversation.question):
        return None
    for text in reversed(conversation.earlier):
        if said := _NAME_SAID.search(text):
            return _YOUR_NAME.fill(name=said[1])(lang)
    return _NO_NAME(lang)


def _recalls_note(conversation: Conversation, lang: Lang) -> str | None:
    if not _NOTE_ASKED.search(conversation.question):
        return None
    for text in reversed(conversation.earlier):
        if said := _NOTE_SAID.search(text):
            return _NOTE(lang).replace("{note}", said[1].strip())
    return _NO_NAME(lang)


def _notes(conversation: Conversation, lang: Lang) -> str | None:
    return _NOTED(lang) if _NOTE_SAID.search(conversation.question) else None


def _counts(conversation: Conversation, _: Lang) -> str | None:
    wanted = _COUNT.search(conversation.question)
    return " ".join(map(str, range(1, min(int(wanted[1]), MOST_COUNTED) + 1))) if wanted else None


def _adds(conversation: Conversation, lang: Lang) -> str | None:
    wanted = _SUM.search(conversation.question)
    if not wanted:
        return None
    left, right = int(wanted[1]), int(wanted[3])
    sign = wanted[2].lower()
    number = left + right if sign in {"+", "plus"} else left - right if sign in {"-", "minus"} else left * right
    return _RESULT.fill(number=number)(lang)


def _greets(conversation: Conversation, lang: Lang) -> str | None:
    return _HELLO(lang) if _GREETING.match(conversation.question) else None


def _thanks(conversation: Conversation, lang: Lang) -> str | None:
    return _WELCOME(lang) if _THANKS.match(conversation.question) else None


def _introduces_itself(conversation: Conversation, lang: Lang) -> str | None:
    if not _WHO.search(conversation.question):
        return None
    for line in _facts(conversation.persona):
        if found := re.search(r"\b(?:du bist|sie sind|you are)\s+([^.\n]+)", line, re.IGNORECASE):
            return f"Ich bin {found[1].strip()}." if lang == "de" else f"I am {found[1].strip()}."
    return _IN_SHORT(lang)


def _quotes(conversation: Conversation, _: Lang) -> str | None:
    """The line of the prompt that shares the rarest words with the question."""
    facts = _facts(conversation.persona)
    spread: dict[str, int] = {}
    for fact in facts:
        for stem in _stems(fact):
            spread[stem] = spread.get(stem, 0) + 1
    asked = _stems(conversation.question)
    best, best_score = None, 0.0
    for fact in facts:
        score = sum(1 / spread[stem] for stem in asked & _stems(fact))
        if score > best_score:
            best, best_score = fact, score
    return best


def _facts(prompt: str) -> list[str]:
    lines = (re.sub(r"^[\s#>*•-]+", "", line).strip() for line in prompt.splitlines())
    return [line for line in lines if line]


def _stems(text: str) -> set[str]:
    """Words by their first letters: `Öffnungszeiten` and `öffnen` meet, so do `address` and `addresses`."""
    words = (word.lower() for word in _WORD.findall(text))
    stems = {word[:5] for word in words if word not in EMPTY and len(word) > 2}  # noqa: PLR2004
    return stems | {other for stem in stems if (other := SYNONYMS.get(stem))}


_RULES: Final[tuple[Rule, ...]] = (
    _reports,
    _recalls_name,
    _recalls_note,
    _names_itself,
    _notes,
    _counts,
    _adds,
    _greets,
    _thanks,
    _introduces_itself,
    _quotes,
)
