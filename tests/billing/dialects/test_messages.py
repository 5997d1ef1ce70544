"""Anthropic's messages: rules are a block of their own, counts come in two parts, a notice ends the last block."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.answers import KEY_MISSING, KEY_SUSPENDED
from kontor.billing.metering.dialects.dialect import NotUnderstood, event
from kontor.billing.metering.dialects.events import content_of
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


def said(text: str, index: int = 0, kind: str = "text") -> bytes:
    """A whole block."""
    at = {"index": index}
    delta = {"type": f"{kind}_delta", kind: text}
    return (
        event("content_block_start", {"type": "content_block_start", **at, "content_block": {"type": kind, kind: ""}})
        + event("content_block_delta", {"type": "content_block_delta", **at, "delta": delta})
        + event("content_block_stop", {"type": "content_block_stop", **at})
    )


def delta(reason: str = "end_turn", **usage: int) -> bytes:
    return event("message_delta", {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})


STOP = event("message_stop", {"type": "message_stop"})
PING = event("ping", {"type": "ping"})


def events_of(stream: bytes) -> list[bytes]:
    return [raw + b"\n\n" for raw in stream.split(b"\n\n") if raw]


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


@given(cuts=st.lists(st.integers(1, 60), max_size=10))
def test_a_notice_is_the_end_of_the_last_block_however_the_stream_is_split(cuts: list[int]) -> None:
    reader, passed, place = MESSAGES.reader(MESSAGES.read(body(stream=True)), missing), b"", 0
    whole = start(input_tokens=1) + said("Ja.", 0) + said("Gut.", 1) + PING + delta(output_tokens=3) + STOP

    for cut in [*cuts, len(whole)]:
        passed += reader.feed(whole[place : place + cut])
        place += cut

    told = [content_of(raw) or {} for raw in events_of(passed)]
    kinds = [(one["type"], one.get("index")) for one in told if one["type"] != "ping"]
    before = [
        (one["type"], one.get("index")) for raw in events_of(whole) if (one := content_of(raw)) != {"type": "ping"}
    ]
    assert kinds == [*before[:-3], ("content_block_delta", 1), *before[-3:]]
    assert passed.count(NOTICE.encode()) == 1
    assert b'"ping"' in passed
    assert reader.tokens == Tokens(input=1, output=3)


def test_a_notice_after_a_block_that_is_no_text_is_a_block_of_its_own() -> None:
    reader = MESSAGES.reader(MESSAGES.read(body(stream=True)), missing)

    passed = reader.feed(
        start(input_tokens=1) + said("Ja.") + said("Hm.", 1, "thinking") + delta(output_tokens=3) + STOP
    )

    block = passed[passed.index(b"Hm.") : passed.index(b"message_delta")]
    assert b'"index":2' in block
    assert NOTICE.encode() in block


def test_a_stream_that_ends_after_a_block_has_the_blocks_end() -> None:
    reader = MESSAGES.reader(MESSAGES.read(body(stream=True)), missing)
    whole = start(input_tokens=1) + said("Ja.")

    assert reader.feed(whole) + reader.finish() == whole


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
    assert answer["content"] == [{"type": "text", "text": f"Ja.\n\n{NOTICE}"}]
    assert not MESSAGES.complete({"stop_reason": "end_turn", "content": [7]}, missing)


def test_refusals_have_anthropics_form() -> None:
    problems = [orjson.loads(MESSAGES.problem(refusal, "en")) for refusal in (KEY_MISSING, KEY_SUSPENDED)]

    assert [problem["error"]["type"] for problem in problems] == ["authentication_error", "permission_error"]
    assert [problem["error"]["code"] for problem in problems] == ["gateway.key_missing", "gateway.suspended"]
    assert {problem["type"] for problem in problems} == {"error"}
