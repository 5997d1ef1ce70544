"""Ids, months, money and languages: the values that everything passes around."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.core.clock import FixedClock, Month, SystemClock, day_of, day_start, month_of
from kontor.core.i18n import Text, negotiate
from kontor.core.ids import PREFIXES, InvalidId, decode, encode, instant_ms, new_id
from kontor.core.money import NANO, Money, cents_and_remainder, decimal_of_nano, half_even_div

# The valid vectors of the TypeID specification 0.3.
TYPEIDS = [
    ("prefix_0123456789abcdefghjkmnpqrs", UUID("0110c853-1d09-52d8-d73e-1194e95b5f19")),
    ("prefix_01h455vb4pex5vsknk084sn02q", UUID("01890a5d-ac96-774b-bcce-b302099a8057")),
    ("prefix_00000000000000000000000000", UUID(int=0)),
    ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", UUID(int=(1 << 128) - 1)),
]


@pytest.mark.parametrize(("text", "uid"), TYPEIDS)
def test_an_id_has_the_text_form_of_the_specification(text: str, uid: UUID) -> None:
    assert encode("prefix", uid) == text
    assert decode("prefix", text) == uid


@given(st.uuids())
def test_an_id_survives_its_text_form(uid: UUID) -> None:
    assert decode("tnt", encode("tnt", uid)) == uid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tnt",
        "tnt_",
        "ins_01h455vb4pex5vsknk084sn02q",
        "tnt_01h455vb4pex5vsknk084sn02",
        "tnt_81h455vb4pex5vsknk084sn02q",
        "tnt_01H455VB4PEX5VSKNK084SN02Q",
        "tnt_01h455vb4pex5vsknk084sn0iq",
        "tnt_01h455vb4pex5vsknk084sn02ü",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        decode("tnt", text)


def test_prefixes_are_unique() -> None:
    assert len(set(PREFIXES.values())) == len(PREFIXES)


def test_ids_are_ordered_by_time_and_tell_it() -> None:
    early = new_id(datetime(2026, 1, 1, tzinfo=UTC))
    late = new_id(datetime(2026, 1, 1, 0, 0, 0, 1000, tzinfo=UTC))

    assert early < late < new_id()
    assert instant_ms(early) == 1_767_225_600_000
    assert (early.version, early.variant) == (7, "specified in RFC 4122")


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [
        (Month(2026, 1), "2025-12-31T23:00Z", "2026-01-31T23:00Z"),
        (Month(2026, 3), "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
        (Month(2026, 10), "2026-09-30T22:00Z", "2026-10-31T23:00Z"),
        (Month(2026, 12), "2026-11-30T23:00Z", "2026-12-31T23:00Z"),
    ],
)
def test_a_month_is_berlins_also_where_the_clocks_change(month: Month, start: str, end: str) -> None:
    assert month.start == datetime.fromisoformat(start)
    assert month.end == datetime.fromisoformat(end)
    assert month_of(month.start) == month
    assert month_of(month.end - timedelta(microseconds=1)) == month
    assert month_of(month.end) == month.next()
    assert month.next().previous() == month


def test_a_month_is_read_from_its_iso_form_only() -> None:
    assert Month.parse("2026-02") == Month(2026, 2)
    assert str(Month(2026, 2)) == "2026-02"
    for text in ("", "2026", "2026-2", "2026-13", "2026-00", "26-01", "2026-01-01", "２０２６-01", "0000-01"):
        with pytest.raises(ValueError, match=r"month|year"):
            Month.parse(text)


def test_a_day_is_berlins() -> None:
    assert day_of(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == date(2026, 7, 1)
    assert day_start(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)


def test_a_fixed_clock_stands_until_it_is_moved_and_the_systems_is_aware() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(hours=1))

    assert clock.now() == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert SystemClock().now().tzinfo is UTC


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    quotient = half_even_div(numerator, denominator)
    off = abs(2 * (numerator - quotient * denominator))

    assert off < denominator or (off == denominator and quotient % 2 == 0)


@given(st.integers(-(10**18), 10**18))
def test_nothing_is_lost_between_cents_and_remainder(nano: int) -> None:
    cents, remainder = cents_and_remainder(nano)

    assert cents * NANO // 100 + remainder == nano
    assert abs(remainder) <= NANO // 200


def test_money_adds_within_a_currency_only() -> None:
    assert Money(150) + Money(50) == Money(200)
    assert str(Money(123456, "CHF")) == "1234.56 CHF"
    assert str(decimal_of_nano(1_234_567_890)) == "1.234568"
    with pytest.raises(ValueError, match="cannot add"):
        Money(1, "EUR") + Money(1, "CHF")


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        (None, "de"),
        ("", "de"),
        ("en", "en"),
        ("de-AT,en;q=0.8", "de"),
        ("fr, en-GB;q=0.7, de;q=0.6", "en"),
        ("en;q=0, de", "de"),
        ("en;q=abc", "de"),
        ("fr", "de"),
        ("en;q=0.5, de;q=0.5", "en"),
    ],
)
def test_the_language_follows_accept_language_and_is_german_without(header: str | None, lang: str) -> None:
    assert negotiate(header) == lang


def test_a_text_stands_in_both_languages() -> None:
    text = Text(de="Guten Tag, {name}", en="Hello, {name}").fill(name="Jürgen")

    assert (text("de"), text("en")) == ("Guten Tag, Jürgen", "Hello, Jürgen")
