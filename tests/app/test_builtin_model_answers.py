"""What the built-in model says and how it counts: pure rules over a request's messages."""

import contextlib
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kontor.app.model.answer import Answer, Usage, parts_of
from kontor.app.model.asked import NotUnderstood
from kontor.app.model.behaviour import Behaviour, Script
from kontor.app.model.conversation import conversation_of
from kontor.app.model.dialects.chat import CHAT, messages_of
from kontor.app.model.dialects.dialect import Dialect
from kontor.app.model.dialects.messages import MESSAGES
from kontor.app.model.dialects.responses import RESPONSES
from kontor.app.model.rules import answer
from kontor.app.model.tokens import count, count_messages, count_request, pieces

PROMPT = """Du bist der freundliche Assistent der Bäckerei Müller GmbH in Stuttgart. Antworte auf Deutsch.

- Öffnungszeiten: Montag bis Freitag 6:30 bis 18:00 Uhr.
- Adresse: Königstraße 1, 70173 Stuttgart
- Telefon: 0711 123456
"""
OPENCLAW_PROMPT = f"""<!-- openclaw:attempt:STABLE -->
You are a personal assistant running inside OpenClaw.
## Tooling
Opening hours of tools are irrelevant. Address tools by name.
# Project Context
Loaded project context:
SOUL.md: persona/tone.
## /home/node/workspace/AGENTS.md
{PROMPT}
## /home/node/workspace/SOUL.md
Freundlich.
<!-- /openclaw:attempt:STABLE -->
<!-- openclaw:attempt:DYNAMIC -->
## Temporal Context
Current date: 2026-11-23
"""
STAMP = "[Mon 2026-11-23 00:01 GMT+1] "
RUNTIME = "\n\nRuntime: agent=main | session=agent:main:openai-user:c1 | model=metered/assistant"


def said(*texts: str, prompt: str = PROMPT) -> str:
    messages = [{"role": "system", "content": prompt}]
    for number, text in enumerate(texts):
        messages.append({"role": "assistant" if number % 2 else "user", "content": text})
    return answer(conversation_of(messages_of(messages)))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Wie sind Ihre Öffnungszeiten?", "Öffnungszeiten: Montag bis Freitag 6:30 bis 18:00 Uhr."),
        ("Wann habt ihr geöffnet?", "Öffnungszeiten: Montag bis Freitag 6:30 bis 18:00 Uhr."),
        ("When are you open?", "Öffnungszeiten: Montag bis Freitag 6:30 bis 18:00 Uhr."),
        ("Wie lautet die Adresse?", "Adresse: Königstraße 1, 70173 Stuttgart"),
        ("What is your phone number?", "Telefon: 0711 123456"),
        ("Wer bist du?", "Ich bin der freundliche Assistent der Bäckerei Müller GmbH in Stuttgart."),
        ("Hallo!", "Guten Tag! Wie kann ich Ihnen helfen?"),
        ("Hello", "Hello! How can I help you?"),
        ("Zähle bis 3", "1 2 3"),
        ("Count to 3 please", "1 2 3"),
        ("Was ist 17 + 25?", "Das Ergebnis ist 42."),
        ("What is 6 times 7?", "The result is 42."),
        ("Vielen Dank", "Gern geschehen!"),
        ("Wie wird das Wetter?", "Dazu habe ich leider keine Angaben. Fragen Sie mich gern etwas anderes."),
        ("", "Dazu habe ich leider keine Angaben. Fragen Sie mich gern etwas anderes."),
    ],
)
def test_it_answers_from_the_prompt_and_a_few_rules(question: str, expected: str) -> None:
    assert said(question) == expected
    assert said(f"{STAMP}{question}{RUNTIME}", prompt=OPENCLAW_PROMPT) == expected


def test_it_remembers_a_name_by_the_messages_of_the_request_only() -> None:
    assert said("Mein Name ist Ada", "Freut mich", "Wie heiße ich?") == "Sie heißen Ada."
    assert said("My name is Grace", "Nice", "What is my name?") == "Your name is Grace."
    assert said("Wie heiße ich?") == "Das haben Sie mir in diesem Gespräch noch nicht gesagt."


def test_it_remembers_a_note() -> None:
    assert said("Merke dir: der Code ist 4711", "Gut", "Was solltest du dir merken?") == "Sie sagten: der Code ist 4711"


def test_a_prompt_may_set_the_language_of_a_question_that_has_none() -> None:
    assert said("???", prompt="Reply in English only.").startswith("I am afraid")
    assert said("???", prompt="Always answer in German.").startswith("Dazu habe ich")


def test_parts_of_a_message_are_read_like_text() -> None:
    parts = [{"type": "text", "text": "Bitte:"}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "text"}]

    said = messages_of([{"role": "user", "content": [*parts, {"type": "text", "text": "Zähle bis 2"}]}])

    assert answer(conversation_of(said)) == "1 2 (1 Bild)"


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content", "x"]), st.text() | st.none() | st.integers())))
def test_no_message_is_too_strange_for_an_answer(messages: list[object]) -> None:
    assert answer(conversation_of(messages_of(messages)))


_LEAF: Final = st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3) | st.just([]) | st.just({"a": []})
_KIND: Final = st.sampled_from(
    ["message", "user", "text", "image", "tool_use", "tool_result", "function_call", "function"]
)


def _objects(*names: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of objects with some of these fields, of the right kind or of any."""
    fields = dict.fromkeys(names, _KIND | _LEAF) | {name: value | _LEAF for name, value in known.items()}
    return st.lists(st.fixed_dictionaries({}, optional=fields) | _LEAF, min_size=1, max_size=3)


_BLOCKS: Final = _objects("type", "text", "name", "input", content=_objects("type", "text"))
_CALLS: Final = _objects("type", "name", "arguments", function=st.fixed_dictionaries({"name": _LEAF}))
_SAID: Final = _objects("type", "role", "name", "arguments", content=_BLOCKS, output=_BLOCKS, tool_calls=_CALLS)
_REQUESTS: Final = st.fixed_dictionaries(
    {"messages": _SAID, "input": _SAID, "max_tokens": st.just(9)},
    optional={
        "model": _LEAF,
        "tools": _CALLS,
        "tool_choice": _LEAF | st.fixed_dictionaries({"type": _LEAF}),
        "system": _BLOCKS,
        "instructions": _BLOCKS,
    },
)


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES, MESSAGES], ids=["chat", "responses", "messages"])
@settings(deadline=None)
@given(_REQUESTS)
@example({"messages": [{"role": []}], "input": "x", "max_tokens": 9, "tools": [{"type": [], "function": []}]})
def test_a_strange_request_is_answered_or_refused(dialect: Dialect, fields: dict[str, Any]) -> None:
    with contextlib.suppress(NotUnderstood):
        asked = dialect.read(fields)
        parts = parts_of(asked, conversation_of(asked.messages), None)
        said = Answer(asked, "1", 1, parts, is_cut=False, usage=Usage(count_request(asked.messages), 1))

        assert dialect.whole(said)
        assert list(dialect.stream(said))


@given(st.text())
def test_pieces_joined_are_the_text_again_unless_it_is_blank(text: str) -> None:
    cut = pieces(text)

    assert "".join(cut) == (text if text.strip() else "")
    assert count(text) == len(cut)


def test_tokens_are_counted_as_documented() -> None:
    assert count("Hallo, Welt!") == 4
    assert count("Öffnungszeiten") == 3
    assert count(" \n ") == 0
    assert count_messages(["Hallo", ""]) == 3 + (3 + 1) + 3


def test_a_behaviour_meets_only_the_requests_that_it_matches_and_only_so_often() -> None:
    script = Script()
    script.tell([Behaviour(match="a", times=2, status=500), Behaviour(status=503)])

    met = [script.next_for(question).status for question in ("b", "a", "a", "a")]

    assert met == [503, 500, 500, None]
