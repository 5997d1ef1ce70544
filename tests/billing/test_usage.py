"""Token counts, prices and keys, as pure rules."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from kontor.billing.metering.keys import bearer, mint
from kontor.billing.metering.prices import UNPRICED, Price, PriceBook, Rate, amount_nano
from kontor.billing.metering.usage import (
    Source,
    Tokens,
    chat_usage,
    embeddings_usage,
    estimate,
    messages_usage,
    responses_usage,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_counts_are_read_with_their_details() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }

    assert chat_usage(usage) == Tokens(input=100, cached=30, output=50, reasoning=20)


def test_an_explicit_zero_is_a_zero_and_not_a_missing_count() -> None:
    assert chat_usage({"prompt_tokens": 0, "completion_tokens": 0}) == Tokens()
    assert chat_usage({}) is None


@pytest.mark.parametrize("usage", [None, [], "10", 7, {"prompt_tokens": -1}, {"prompt_tokens": True}, {"total": 1}])
def test_what_is_no_usage_is_not_guessed_at(usage: object) -> None:
    assert chat_usage(usage) is None


@pytest.mark.parametrize("nonsense", [-1, "5", 1e30, float("nan"), [5], True, None])
def test_a_report_that_lacks_a_count_or_says_nonsense_is_no_report(nonsense: object) -> None:
    begun = messages_usage({"input_tokens": 10, "output_tokens": 1})

    for read, input_, output in (
        (chat_usage, "prompt_tokens", "completion_tokens"),
        (responses_usage, "input_tokens", "output_tokens"),
        (messages_usage, "input_tokens", "output_tokens"),
    ):
        assert read({input_: 5, output: 7}) == Tokens(input=5, output=7)
        assert read({input_: nonsense, output: 7}) is None
        assert read({input_: 5, output: nonsense}) is None
    assert messages_usage({"output_tokens": nonsense}, since=begun) is None
    assert embeddings_usage({"prompt_tokens": 5}) == Tokens(input=5)
    assert embeddings_usage({"prompt_tokens": nonsense}) is None


def test_more_cached_tokens_than_input_cannot_make_a_call_cheaper_than_free() -> None:
    tokens = chat_usage({"prompt_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 9}})

    assert tokens is not None
    assert tokens.cached == 5


def test_an_estimate_is_marked_and_never_zero_for_the_input() -> None:
    assert estimate(0, 0) == Tokens(input=1, source=Source.ESTIMATED)
    assert estimate(401, 9) == Tokens(input=101, output=3, source=Source.ESTIMATED)


def test_responses_are_counted_with_their_details() -> None:
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 20},
    }

    assert responses_usage(usage) == Tokens(input=100, cached=30, cache_write=10, output=50, reasoning=20)
    assert responses_usage(None) is None


def test_what_anthropic_counts_beside_its_input_is_part_of_ours() -> None:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 4}

    assert messages_usage(usage) == Tokens(input=60, cached=30, cache_write=20, output=4)
    assert messages_usage({}) is None


def test_the_last_event_of_a_message_repeats_only_what_has_changed() -> None:
    begun = messages_usage({"input_tokens": 10, "cache_read_input_tokens": 30, "output_tokens": 1})

    assert messages_usage({"output_tokens": 25}, since=begun) == Tokens(input=40, cached=30, output=25)
    assert messages_usage({"input_tokens": 12, "output_tokens": 2}, since=begun) == Tokens(
        input=42, cached=30, output=2
    )


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
