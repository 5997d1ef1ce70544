"""When the built-in model calls tools: pure rules over the user's last message."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.app.model.asked import Asked, Message
from kontor.app.model.conversation import conversation_of
from kontor.app.model.tools import calls


def called(text: str, *after: Message, **allowed: Any) -> list[tuple[str, str]]:
    messages = (Message("user", text), *after)
    asked = Asked({}, messages, **{"tools": frozenset({"add", "sub-1"}), **allowed})
    return calls(asked, conversation_of(messages))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[tool add {"a": 1}]', [("add", '{"a": 1}')]),
        ("[tool add]", [("add", "{}")]),
        ('Bitte [tool sub-1 {"a": [1, {"b": "]}"}]} ] danke', [("sub-1", '{"a": [1, {"b": "]}"}]}')]),
        ('[tool add {"a": 1}] [tool add {"a": 2}]', [("add", '{"a": 1}'), ("add", '{"a": 2}')]),
        ('[tool other {"a": 1}]', []),
        ("[tool add {broken}]", []),
        ("[tool add [1]]", []),
        ('[tool add {"a": NaN}]', []),
        ("tool add", []),
    ],
)
def test_a_tool_is_called_when_the_text_names_one_that_is_offered(text: str, expected: list[tuple[str, str]]) -> None:
    assert called(text) == expected


def test_a_tool_that_has_returned_is_not_called_again() -> None:
    assert called("[tool add]", Message("assistant", "", calls=("add {}",))) == []
    assert called("[tool add]", Message("tool", "3")) == []
    assert called("x", Message("tool", "3"), Message("user", "[tool add]")) == [("add", "{}")]


def test_only_one_is_called_where_several_at_once_are_forbidden() -> None:
    assert called("[tool add] [tool add]", is_parallel=False) == [("add", "{}")]


def test_brackets_without_end_call_nothing() -> None:
    assert called("[tool add " + "[" * 100_000) == []


@given(st.text(alphabet='[tool ad]{}":1,\\', max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    assert all(name == "add" for name, _ in called(text))
