"""OpenAI's responses: nothing is kept at the provider, rules come first, a notice is wherever the text is told."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from kontor.billing.metering.dialects.dialect import NotUnderstood, event
from kontor.billing.metering.dialects.responses import Responses
from kontor.billing.metering.usage import Tokens
from kontor.core.i18n import Text

RESPONSES = Responses()
NOTICE = "Dies ist keine Rechtsberatung."
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def missing(tail: str) -> str | None:
    """Whether the notice is, by the policy's own rule in short."""
    return None if not tail or NOTICE.casefold() in tail.casefold() else f"\n\n{NOTICE}"


def body(**more: Any) -> bytes:
    return orjson.dumps({"model": "assistant", "input": "Hallo", **more})


def events(stream: bytes) -> list[Any]:
    """As the official client reads them."""
    datas = [one.split(b"data: ", 1)[1] for one in stream.split(b"\n\n") if one]
    return [EVENTS.validate_json(data) for data in datas]


def stream(text: str) -> bytes:
    """What a provider sends: our own answer with counts in its last event."""
    made = RESPONSES.answer_stream(RESPONSES.read(body()), text, "1", 1)
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 12,
    }
    head, last = made.rsplit(b"event: ", 1)
    data = orjson.loads(last.split(b"data: ", 1)[1])
    data["response"]["usage"] = usage
    return head + event("response.completed", data)


def test_nothing_is_stored_and_the_rules_come_before_the_callers_instructions() -> None:
    plain = RESPONSES.for_provider(RESPONSES.read(body()), "m", rules="Keine Diagnosen.")
    own = RESPONSES.for_provider(RESPONSES.read(body(instructions="Sei nett.")), "m", rules="Keine Diagnosen.")

    assert orjson.loads(plain) == {"model": "m", "input": "Hallo", "store": False, "instructions": "Keine Diagnosen."}
    assert orjson.loads(own)["instructions"] == "Keine Diagnosen.\n\nSei nett."


@pytest.mark.parametrize(
    "more",
    [
        {"input": []},
        {"input": 7},
        {"instructions": ["a"]},
        {"stream": 1},
        {"store": True},
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"background": True},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search_preview"}]},
        {"tools": [{"type": "mcp", "server_url": "https://example.com"}]},
        {"max_output_tokens": -1},
    ],
)
def test_what_would_be_kept_or_run_at_the_provider_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood, match=r"\.$"):
        RESPONSES.read(body(**more))


def test_what_a_person_said_last_is_read_from_text_and_from_items() -> None:
    items = [
        {"role": "user", "content": "alt"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Antwort"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "neu"}]},
    ]

    assert [RESPONSES.said(RESPONSES.read(body(input=given))) for given in ("Hallo", items)] == ["Hallo", "neu"]


@given(cuts=st.lists(st.integers(1, 400), max_size=10))
def test_a_stream_passes_unchanged_and_is_counted_however_it_is_split(cuts: list[int]) -> None:
    whole, passed, place = stream("Grüße"), b"", 0
    reader = RESPONSES.reader(RESPONSES.read(body(stream=True)))

    for cut in [*cuts, len(whole)]:
        passed += reader.feed(whole[place : place + cut])
        place += cut

    assert passed == whole
    assert reader.is_done
    assert reader.tokens == Tokens(input=10, cached=4, cache_write=3, output=2, reasoning=1)


def test_every_event_that_tells_the_text_tells_the_notice_and_numbers_stay_in_order() -> None:
    reader = RESPONSES.reader(RESPONSES.read(body(stream=True)), missing)

    told = events(reader.feed(stream("Ja.")))

    whole = f"Ja.\n\n{NOTICE}"
    assert "".join(one.delta for one in told if one.type == "response.output_text.delta") == whole
    assert [one.text for one in told if one.type == "response.output_text.done"] == [whole]
    assert told[-1].response.output_text == whole
    assert [one.sequence_number for one in told] == list(range(len(told)))


def test_a_notice_that_was_given_is_not_given_again() -> None:
    given_one = stream(f"Ja. {NOTICE}")
    reader = RESPONSES.reader(RESPONSES.read(body(stream=True)), missing)

    assert reader.feed(given_one) == given_one


def test_a_number_that_cannot_be_raised_stays_and_the_notice_is_given() -> None:
    reader = RESPONSES.reader(RESPONSES.read(body(stream=True)), missing)
    last = 2**64 - 1
    done = {"type": "response.output_text.done", "sequence_number": last, "text": "Ja."}

    passed = reader.feed(event("response.output_text.done", done)) + reader.feed(
        event("response.output_text.done", done)
    )

    assert passed.count(b"response.output_text.delta") > 0
    assert passed.count(str(last).encode()) == 2
    assert NOTICE.encode() in passed


def test_a_whole_answer_ends_with_the_notice_once() -> None:
    answer = orjson.loads(RESPONSES.answer(RESPONSES.read(body()), "Ja.", "1", 1))

    changes = [RESPONSES.complete(answer, missing), RESPONSES.complete(answer, missing)]

    assert changes == [True, False]
    assert Response.model_validate(answer).output_text == f"Ja.\n\n{NOTICE}"
    assert not RESPONSES.complete({"status": "completed", "output": [7, {"content": [None]}]}, missing)


def test_our_own_answers_are_such_as_the_official_client_reads() -> None:
    asked = RESPONSES.read(body())

    whole = Response.model_validate_json(RESPONSES.answer(asked, "Ich bin nicht da.", "1", 1))
    told = events(RESPONSES.answer_stream(asked, "Ich bin nicht da.", "1", 1))

    assert whole.output_text == "Ich bin nicht da."
    assert told[-1].response.output_text == "Ich bin nicht da."
    assert (
        events(RESPONSES.cut("de"))[0].message
        == Text(de="Die Antwort wurde unterbrochen. Bitte stellen Sie die Frage noch einmal.", en="").de
    )
