"""Whether a deployment is worth a try: a circuit breaker for each, and the outages that it saw. Not for threads.

Closed until it fails `FAILURES` times in a row, then open: nobody calls it for a while. After that one call may try;
its success closes the circuit, its failure opens it for longer. When all of a route are open the one that has been
left alone longest is tried all the same: a guess is better than a refusal. Source: Nygard, "Release It!", 5.2.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

from prometheus_client import Gauge

from kontor.billing.metering.outages.cause import Cause

FAILURES: Final = 5
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0

OPEN: Final = Gauge(
    "kontor_gateway_deployment_open",
    "1 while a deployment is not called because it fails",
    ["deployment"],
    multiprocess_mode="livemax",
)


@dataclass(slots=True)
class Circuit:
    """What is known of one deployment."""

    failures: int = 0
    pause_s: float = FIRST_PAUSE_S
    opened_at: float | None = None
    tried_at: float = field(default=float("-inf"))

    def lets_through(self, now: float) -> bool:
        """Whether a call may be made."""
        return self.opened_at is None or now - max(self.opened_at, self.tried_at) >= self.pause_s


class Witness(Protocol):
    """Who is told what happens to open circuits."""

    def failed(self, deployment: str, cause: Cause) -> None:
        """Its circuit has opened, or a try through an open one has failed."""
        ...

    def answered(self, deployment: str) -> None:
        """Its circuit was open, and it answers."""
        ...


class Health:
    """All circuits of this process, by the deployments' names."""

    def __init__(self, now: Callable[[], float] = monotonic, witness: Witness | None = None) -> None:
        self._now = now
        self._witness = witness
        self._circuits: dict[str, Circuit] = {}

    def order(self, names: Iterable[str]) -> list[str]:
        """The names that are worth a try, in their order; when none is, the one that was left alone longest."""
        known = list(names)
        if not self._circuits:
            return known
        now = self._now()
        worth = [name for name in known if (of := self._circuits.get(name)) is None or of.lets_through(now)]
        if worth or not known:
            return worth
        return [min(known, key=lambda name: self._circuits[name].tried_at)]

    def trying(self, name: str) -> None:
        """A call is made: a circuit that was open lets no second one through before this one has ended."""
        circuit = self._circuits.get(name)
        if circuit is not None and circuit.opened_at is not None:
            circuit.tried_at = self._now()

    def succeeded(self, name: str) -> None:
        """It answers."""
        circuit = self._circuits.pop(name, None)
        if circuit is None:
            return
        OPEN.labels(name).set(0)
        if circuit.opened_at is not None and self._witness is not None:
            self._witness.answered(name)

    def failed(self, name: str, cause: Cause) -> None:
        """It does not."""
        circuit = self._circuits.setdefault(name, Circuit())
        circuit.failures += 1
        if circuit.opened_at is not None:
            circuit.opened_at, circuit.pause_s = self._now(), min(circuit.pause_s * 2, LONGEST_PAUSE_S)
        elif circuit.failures >= FAILURES:
            circuit.opened_at = self._now()
            OPEN.labels(name).set(1)
        if circuit.opened_at is not None and self._witness is not None:
            self._witness.failed(name, cause)

    @property
    def open(self) -> frozenset[str]:
        """The deployments that count as down."""
        return frozenset(name for name, circuit in self._circuits.items() if circuit.opened_at is not None)
