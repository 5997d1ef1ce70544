"""When every deployment of a route was down, by arithmetic over intervals."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import given

from kontor.billing.metering.outages.cause import Cause, cause_of_status
from kontor.billing.metering.outages.spans import Outage, Route, all_down

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOTH = Route(NOON - timedelta(days=1), ("a", "b"))


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def down(deployment: str, start: int, end: int, *, cause: Cause = Cause.FAILING, is_third_party: bool = True) -> Outage:
    return Outage(deployment, cause, is_third_party, at(start), at(end))


def minutes(*outages: Outage, routes: tuple[Route, ...] = (BOTH,), start: int = 0, end: int = 60) -> list[list[int]]:
    found = all_down(routes, outages, at(start), at(end))
    return [[round((edge - NOON).total_seconds() / 60) for edge in span] for span in found]


def test_only_the_time_in_which_each_deployment_was_down_counts() -> None:
    assert minutes(down("a", 10, 30)) == []
    assert minutes(down("a", 10, 30), down("b", 20, 40)) == [[20, 30]]
    assert minutes(down("a", 10, 30), down("b", 40, 50)) == []


def test_what_several_processes_saw_of_one_outage_is_one() -> None:
    seen = [down("b", 0, 60), down("a", 10, 20), down("a", 15, 30), down("a", 30, 35), down("a", 12, 14)]

    assert minutes(*seen) == [[10, 35]]


def test_a_machine_of_our_own_and_a_key_that_is_refused_exclude_nothing() -> None:
    assert minutes(down("a", 10, 30), down("b", 10, 30, is_third_party=False)) == []
    assert minutes(down("a", 10, 30), down("b", 10, 30, cause=Cause.REFUSES)) == []


def test_the_route_of_the_time_decides_and_not_a_later_one() -> None:
    later = Route(at(20), ("a",))

    assert minutes(down("a", 10, 30), routes=(later, BOTH)) == [[20, 30]]
    assert minutes(down("a", 10, 30), routes=(Route(at(20), ()), Route(BOTH.since, ("a",)))) == [[10, 20]]


def test_without_a_route_nothing_was_down() -> None:
    assert minutes(down("a", 10, 30), routes=()) == []
    assert minutes(down("a", 10, 30), routes=(Route(BOTH.since, ()),)) == []
    assert minutes(down("a", 10, 30), routes=(Route(at(20), ("a",)),)) == [[20, 30]]


def test_what_sticks_out_of_the_period_is_cut() -> None:
    outages = down("a", -30, 90), down("b", -30, 90)

    assert minutes(*outages, start=5, end=10) == [[5, 10]]


def test_a_status_says_whose_fault_it_is() -> None:
    assert [cause_of_status(status) for status in (302, 401, 402, 429, 500, 529)] == [
        Cause.FAILING,
        Cause.REFUSES,
        Cause.REFUSES,
        Cause.REFUSES,
        Cause.FAILING,
        Cause.FAILING,
    ]


MINUTE = st.integers(-10, 70)
OUTAGES = st.lists(
    st.builds(lambda name, start, length: down(name, start, start + length), st.sampled_from("abc"), MINUTE, MINUTE),
    max_size=12,
).map(lambda many: [one for one in many if one.observed_until >= one.started_at])
ROUTES = st.lists(
    st.builds(lambda since, names: Route(at(since), tuple(names)), MINUTE, st.sets(st.sampled_from("abc"))),
    max_size=4,
    unique_by=lambda route: route.since,
)


@given(ROUTES, OUTAGES)
def test_spans_agree_with_looking_at_minutes_one_by_one(routes: list[Route], outages: list[Outage]) -> None:
    spans = all_down(routes, outages, at(0), at(60))

    for minute in range(60):
        held = max((one for one in routes if one.since <= at(minute)), key=lambda one: one.since, default=None)
        expected = bool(held and held.deployments) and all(
            any(one.deployment == name and one.started_at <= at(minute) < one.observed_until for one in outages)
            for name in (held.deployments if held else ())
        )
        assert any(start <= at(minute) < end for start, end in spans) == expected
