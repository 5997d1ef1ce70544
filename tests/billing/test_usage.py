"""Token counts, prices and the two changes of a request, as pure rules."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.keys import bearer, mint
from kontor.billing.metering.prices import UNPRICED, Price, PriceBook, Rate, amount_nano
from kontor.billing.metering.rewrite import NotAChat, for_provider, read
from kontor.billing.metering.sse import EventTooLong, Reader
from kontor.billing.metering.usage import Source, Tokens, estimate, read_usage

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def event(**chunk: Any) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def text(content: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": content}}], usage=None)


USAGE = event(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 2})
DONE = b"data: [DONE]\n\n"


def test_counts_are_read_with_their_details() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }

    assert read_usage(usage) == Tokens(input=100, cached=30, output=50, reasoning=20)


def test_an_explicit_zero_is_a_zero_and_not_a_missing_count() -> None:
    assert read_usage({"prompt_tokens": 0, "completion_tokens": 0}) == Tokens()
    assert read_usage({}) is None


@pytest.mark.parametrize("usage", [None, [], "10", 7, {"prompt_tokens": -1}, {"prompt_tokens": True}, {"total": 1}])
def test_what_is_no_usage_is_not_guessed_at(usage: object) -> None:
    assert read_usage(usage) is None


def test_more_cached_tokens_than_input_cannot_make_a_call_cheaper_than_free() -> None:
    tokens = read_usage({"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 9}})

    assert tokens is not None
    assert tokens.cached == 5


def test_an_estimate_is_marked_and_never_zero_for_the_input() -> None:
    assert estimate(0, 0) == Tokens(input=1, source=Source.ESTIMATED)
    assert estimate(401, 9) == Tokens(input=101, output=3, source=Source.ESTIMATED)


@given(cuts=st.lists(st.integers(1, 40), max_size=12), asked=st.booleans())
def test_a_stream_split_anywhere_is_passed_on_unchanged_but_for_the_usage_chunk(
    *, cuts: list[int], asked: bool
) -> None:
    stream = text("Grüße") + text("\\n\n data: [DONE]") + b": comment\n\n" + USAGE + DONE
    reader, passed, place = Reader(strips_usage=not asked), b"", 0

    for cut in [*cuts, len(stream)]:
        passed += reader.feed(stream[place : place + cut])
        place += cut
    passed += reader.finish()

    assert passed == (stream if asked else stream.replace(USAGE, b""))
    assert reader.tokens == Tokens(input=10, output=2)
    assert reader.is_done


def test_every_single_split_of_a_stream_with_carriage_returns_gives_the_same() -> None:
    stream = (text("a") + USAGE + DONE).replace(b"\n", b"\r\n")

    for place in range(len(stream)):
        reader = Reader(strips_usage=True)
        passed = reader.feed(stream[:place]) + reader.feed(stream[place:]) + reader.finish()

        assert passed == (text("a") + DONE).replace(b"\n", b"\r\n")
        assert reader.tokens == Tokens(input=10, output=2)


def test_usage_in_the_last_content_chunk_is_read_and_the_chunk_stays() -> None:
    last = event(
        choices=[{"delta": {"content": "!"}, "finish_reason": "stop"}],
        usage={"prompt_tokens": 3, "completion_tokens": 1},
    )
    reader = Reader(strips_usage=True)

    assert reader.feed(last) == last
    assert reader.tokens == Tokens(input=3, output=1)


def test_what_a_user_writes_about_usage_is_not_taken_for_it() -> None:
    said = text('{"usage": {"prompt_tokens": 999999}}')
    reader = Reader(strips_usage=True)

    assert reader.feed(said) == said
    assert reader.tokens is None


def test_a_stream_without_usage_is_estimated_by_the_text_that_passed() -> None:
    reader = Reader(strips_usage=True)

    reader.feed(text("abcd") + text("efgh"))

    assert reader.text_bytes == 8


def test_an_event_without_end_is_not_collected_for_ever() -> None:
    reader = Reader(strips_usage=True)

    for _ in range(40):
        reader.feed(b"x" * 100_000)

    with pytest.raises(EventTooLong):
        reader.feed(b"x" * 1_000_000)


@given(
    more=st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["stream_options", "tools", "usage"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    ),
    stream=st.booleans(),
    options=st.sampled_from([None, {"include_usage": True}, {"include_usage": False}, {"other": 1}]),
    space=st.sampled_from(["", " ", "\n\t"]),
)
def test_nothing_but_the_model_and_the_wish_for_usage_changes(
    *, more: dict[str, Any], stream: bool, options: dict[str, Any] | None, space: str
) -> None:
    fields = {**more, "model": "assistant", "messages": [{"role": "user", "content": '"model": "x"'}], "stream": stream}
    fields.pop("stream_options", None)
    if options is not None:
        fields["stream_options"] = options
    body = space.encode() + orjson.dumps(fields) + space.encode()

    sent = orjson.loads(for_provider(body, read(body), "gpt-4.1-mini"))

    expected = fields | {"model": "gpt-4.1-mini"}
    if stream:
        expected["stream_options"] = {**(options or {}), "include_usage": True}
    assert sent == expected


def test_a_body_is_otherwise_forwarded_byte_for_byte() -> None:
    body = b'{ "model" : "assistant", "messages":[{"role":"user","content":"\\u00fc"}], "seed":1.50 }'

    assert for_provider(body, read(body), "m") == body.replace(b'"model" : "assistant"', b'"model":"m"')


def test_a_nested_model_field_is_not_the_one_that_is_replaced() -> None:
    body = orjson.dumps({"tools": [{"model": "inner"}], "model": "assistant", "messages": [1]})

    sent = orjson.loads(for_provider(body, read(body), "m"))

    assert sent == {"tools": [{"model": "inner"}], "model": "m", "messages": [1]}


def test_fields_that_a_provider_refuses_are_left_out() -> None:
    body = orjson.dumps({"model": "a", "messages": [1], "stream": True, "max_completion_tokens": 9, "store": False})

    refuses = frozenset({"stream_options", "max_completion_tokens", "store"})
    sent = orjson.loads(for_provider(body, read(body), "m", refuses=refuses))

    assert sent == {"model": "m", "messages": [1], "stream": True, "max_tokens": 9}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"model":"a"}',
        b'{"messages":[1]}',
        b'{"model":1,"messages":[1]}',
        b'{"model":"a","messages":[]}',
        b'{"model":"a","messages":[1],"stream":"yes"}',
        b'{"model":"a","messages":[1],"stream_options":[]}',
        b'{"model":"\xff","messages":[1]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_chat_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(NotAChat, match=r"\.$"):
        read(body)


def price(**changes: Any) -> Price:
    fields = {
        "id": uuid4(),
        "provider": "openai",
        "model": "m",
        "currency": "EUR",
        "input": 150_000_000,
        "cached": 75_000_000,
        "cache_write": None,
        "output": 600_000_000,
        "valid_from": NOW - timedelta(days=30),
    }
    return Price(**(fields | changes))


def test_cached_tokens_have_their_own_price_and_are_not_counted_twice() -> None:
    assert amount_nano(Tokens(input=100, cached=40, output=10), price()) == 60 * 150 + 40 * 75 + 10 * 600


@pytest.mark.parametrize(("tokens", "nano"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_an_amount_is_rounded_once_and_half_to_even(tokens: int, nano: int) -> None:
    assert amount_nano(Tokens(input=tokens), price(input=500_000)) == nano


def test_the_price_is_that_of_the_instant_of_the_call() -> None:
    old, new = price(input=100_000_000), price(input=200_000_000, valid_from=NOW)
    book = PriceBook([new, old])

    costs = [book.cost("openai", "m", Tokens(input=10), at) for at in (NOW - timedelta(microseconds=1), NOW)]

    assert [cost.cost_nano for cost in costs] == [1000, 2000]
    assert [cost.price for cost in costs] == [old.id, new.id]


def test_a_call_is_converted_at_its_months_rate() -> None:
    rate = Rate(uuid4(), "USD", NOW - timedelta(days=1), NOW + timedelta(days=1), 870_000_000)
    book = PriceBook([price(currency="USD")], [rate])

    cost = book.cost("openai", "m", Tokens(input=10), NOW)

    assert (cost.currency, cost.amount_nano, cost.cost_nano, cost.rate) == ("USD", 1500, 1305, rate.id)


def test_without_price_or_rate_a_call_is_unpriced_and_never_free() -> None:
    dollars = PriceBook([price(currency="USD")])

    assert PriceBook().cost("openai", "m", Tokens(input=10), NOW) == UNPRICED
    assert dollars.cost("openai", "m", Tokens(input=10), NOW) == UNPRICED
    assert PriceBook([price(valid_from=NOW)]).cost("openai", "m", Tokens(), NOW - timedelta(days=1)) == UNPRICED
    assert PriceBook([price()]).cost("openai", "m", Tokens(), NOW).cost_nano == 0


def test_a_key_is_known_by_its_hash_only() -> None:
    secret, key_hash = mint()

    assert secret.startswith("kgw_")
    assert len(secret) >= 40
    assert bearer(f"Bearer {secret}".encode()) == key_hash
    assert bearer(f"bearer  {secret}".encode()) == key_hash


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Basic kgw_x", b"Bearer sk-x", b"Bearer kgw_" + b"x" * 500])
def test_what_cannot_be_a_key_costs_no_lookup(header: bytes | None) -> None:
    assert bearer(header) is None
