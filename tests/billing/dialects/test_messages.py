"""Anthropic's messages: rules are a block of their own, counts come in two parts, a notice is a block of its own."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.answers import KEY_MISSING, KEY_SUSPENDED
from kontor.billing.metering.dialects.dialect import NotUnderstood, event
from kontor.billing.metering.dialects.messages import Messages
from kontor.billing.metering.usage import Source, Tokens

MESSAGES = Messages()
NOTICE = "Dies ist keine medizinische Beratung."
RULE = {"type": "text", "text": "Keine Diagnosen."}


def missing(tail: str) -> str | None:
    """Whether the notice is, by the policy's own rule in short."""
    return None if not tail or NOTICE.casefold() in tail.casefold() else f"\n\n{NOTICE}"


def body(**more: Any) -> bytes:
    return orjson.dumps(
        {"model": "assistant", "max_tokens": 100, "messages": [{"role": "user", "content": "Hallo"}], **more}
    )


def start(**usage: int) -> bytes:
    return event("message_start", {"type": "message_start", "message": {"usage": usage}})


def said(text: str, index: int = 0) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return event("content_block_start", {"type": "content_block_start", "index": index}) + event(
        "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
    )


def delta(reason: str = "end_turn", **usage: int) -> bytes:
    return event("message_delta", {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})


STOP = event("message_stop", {"type": "message_stop"})


@pytest.mark.parametrize(
    ("system", "sent"),
    [
        (None, [RULE]),
        ("Sei nett.", [RULE, {"type": "text", "text": "Sei nett."}]),
        (
            [{"type": "text", "text": "Sei nett.", "cache_control": {"type": "ephemeral"}}],
            [RULE, {"type": "text", "text": "Sei nett.", "cache_control": {"type": "ephemeral"}}],
        ),
    ],
)
def test_the_rules_are_a_block_in_front_of_the_callers_own(system: Any, sent: Any) -> None:
    asked = MESSAGES.read(body(**({} if system is None else {"system": system})))

    assert orjson.loads(MESSAGES.for_provider(asked, "m", rules="Keine Diagnosen."))["system"] == sent


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": None},
        {"messages": []},
        {"system": 7},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"type": "code_execution_20250522", "name": "x"}]},
        {"mcp_servers": [{"url": "https://example.com"}]},
        {"container": "c"},
    ],
)
def test_what_anthropic_would_run_itself_is_refused(more: dict[str, Any]) -> None:
    callers = [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]

    assert MESSAGES.read(body(tools=callers)).most_output == 100
    with pytest.raises(NotUnderstood, match=r"\.$"):
        MESSAGES.read(body(**more))


@given(cuts=st.lists(st.integers(1, 120), max_size=10))
def test_a_stream_passes_unchanged_and_is_counted_however_it_is_split(cuts: list[int]) -> None:
    whole = start(input_tokens=10, cache_read_input_tokens=5, output_tokens=1) + said("Grüße") + delta(output_tokens=7)
    whole += STOP
    reader, passed, place = MESSAGES.reader(MESSAGES.read(body(stream=True))), b"", 0

    for cut in [*cuts, len(whole)]:
        passed += reader.feed(whole[place : place + cut])
        place += cut

    assert passed == whole
    assert reader.is_done
    assert reader.counted(400) == Tokens(input=15, cached=5, output=7)


def test_a_stream_that_ends_before_its_last_counts_is_counted_as_far_as_it_was_and_guessed_beyond() -> None:
    reader = MESSAGES.reader(MESSAGES.read(body(stream=True)))

    reader.feed(start(input_tokens=10, output_tokens=1) + said("abcdefgh"))

    assert reader.counted(4000) == Tokens(input=10, output=2, source=Source.ESTIMATED)
    assert MESSAGES.reader(MESSAGES.read(body())).counted(40) == Tokens(input=10, source=Source.ESTIMATED)


def test_a_notice_is_a_block_after_the_last_one() -> None:
    reader = MESSAGES.reader(MESSAGES.read(body(stream=True)), missing)

    passed = reader.feed(start(input_tokens=1) + said("Ja.", 0) + said("Gut.", 1) + delta(output_tokens=3) + STOP)

    block = passed[passed.index(b"Gut.") : passed.index(b"message_delta")]
    assert b'"index":2' in block
    assert NOTICE.encode() in block
    assert passed.count(NOTICE.encode()) == 1


@pytest.mark.parametrize(
    "rest", [said("Ja.") + delta("tool_use"), said(f"Ja. {NOTICE}") + delta(), delta(), b"data: 7\n\n" + delta()]
)
def test_a_stream_without_a_final_answer_or_with_the_notice_passes_as_it_is(rest: bytes) -> None:
    reader = MESSAGES.reader(MESSAGES.read(body(stream=True)), missing)

    assert reader.feed(start(input_tokens=1) + rest) == start(input_tokens=1) + rest


def test_a_whole_answer_ends_with_the_notice_once() -> None:
    answer = {"stop_reason": "end_turn", "content": [{"type": "text", "text": "Ja."}]}

    changes = [MESSAGES.complete(answer, missing), MESSAGES.complete(answer, missing)]

    assert changes == [True, False]
    assert answer["content"][-1] == {"type": "text", "text": f"\n\n{NOTICE}"}
    assert not MESSAGES.complete({"stop_reason": "end_turn", "content": [7]}, missing)


def test_refusals_have_anthropics_form() -> None:
    problems = [orjson.loads(MESSAGES.problem(refusal, "en")) for refusal in (KEY_MISSING, KEY_SUSPENDED)]

    assert [problem["error"]["type"] for problem in problems] == ["authentication_error", "permission_error"]
    assert [problem["error"]["code"] for problem in problems] == ["gateway.key_missing", "gateway.suspended"]
    assert {problem["type"] for problem in problems} == {"error"}
