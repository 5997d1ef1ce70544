"""A deployment that fails is left alone for a while, and tried again by one call at a time."""

from kontor.billing.metering.health import FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, Health
from kontor.billing.metering.outages.cause import Cause


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def broken(health: Health, name: str) -> None:
    for _ in range(FAILURES):
        health.failed(name, Cause.FAILING)


def test_only_failures_in_a_row_open_the_circuit() -> None:
    health = Health(Clock())

    for _ in range(FAILURES - 1):
        health.failed("a", Cause.FAILING)
    health.succeeded("a")
    health.failed("a", Cause.FAILING)

    assert health.order(["a", "b"]) == ["a", "b"]
    broken(health, "a")
    assert health.order(["a", "b"]) == ["b"]
    assert health.open == {"a"}


def test_after_a_while_one_call_may_try_and_its_success_closes_the_circuit() -> None:
    clock = Clock()
    health = Health(clock)
    broken(health, "a")

    clock.now += FIRST_PAUSE_S
    first = health.order(["a", "b"])
    health.trying("a")
    second = health.order(["a", "b"])
    health.succeeded("a")

    assert (first, second) == (["a", "b"], ["b"])
    assert health.order(["a", "b"]) == ["a", "b"]
    assert health.open == frozenset()


def test_a_failed_try_doubles_the_pause_up_to_a_bound() -> None:
    clock = Clock()
    health = Health(clock)
    broken(health, "a")
    pauses = []

    for _ in range(8):
        begun = clock.now
        while health.order(["a", "b"]) == ["b"]:
            clock.now += 1
        pauses.append(clock.now - begun)
        health.trying("a")
        health.failed("a", Cause.FAILING)

    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_when_all_are_open_the_one_that_was_left_alone_longest_is_tried_all_the_same() -> None:
    clock = Clock()
    health = Health(clock)
    broken(health, "a")
    broken(health, "b")
    health.trying("a")

    assert health.order(["a", "b"]) == ["b"]
    assert health.order([]) == []
