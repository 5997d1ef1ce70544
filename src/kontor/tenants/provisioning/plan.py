"""The next step of one instance, from what should be, what is written down, and what the runtime shows. Pure.

Level-triggered: the same facts give the same step, whoever asks and however often; nothing is remembered but the
row. Owns pauses and limits of tries. Who executes the steps: reconcile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kontor.core.ids import InstanceId, TenantId
from kontor.tenants.provisioning.runtime import Observation, Observed
from kontor.tenants.states import Phase

MAX_TRIES: Final = 4
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)
POOL_PAUSE: Final = timedelta(minutes=5)
START_WITHIN: Final = timedelta(seconds=120)
STABLE_AFTER: Final = timedelta(seconds=60)
POLL: Final = timedelta(milliseconds=250)

_RUNS: Final = frozenset({Observed.STARTING, Observed.READY})
_DOWN: Final = frozenset({Observed.ABSENT, Observed.STOPPED})


@dataclass(frozen=True, slots=True)
class Facts:
    """An instance's row as far as the plan needs it. `observed` is what was last written down, since `observed_at`."""

    id: InstanceId
    tenant: TenantId | None
    phase: Phase
    observed: Observed
    observed_at: datetime | None
    endpoint: str | None
    is_minted: bool
    has_own_key: bool
    is_announced: bool
    failure_code: str | None
    generation: int
    revision: int
    applied_revision: int
    tries: int
    due_at: datetime

    @property
    def keeps_own_key(self) -> bool:
        """Whether its own data key outlived the assignment."""
        return self.has_own_key and self.tenant is not None


@dataclass(frozen=True, slots=True)
class Mint:
    """Make token and gateway key."""


@dataclass(frozen=True, slots=True)
class Start:
    """Have the runtime run it."""


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Bring the files to `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Have the process end; the volume stays."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Have process and volume go."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing is left at the runtime: revoke the keys, remove the rows."""


@dataclass(frozen=True, slots=True)
class DropOwnKey:
    """The secrets lie under the tenant's data key: destroy the instance's own."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write down what the runtime shows, and what follows from it without the runtime."""


@dataclass(frozen=True, slots=True)
class Fail:
    """One try has failed. `stops` first ends a process that hangs."""

    code: str
    detail: str | None
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Begin the provisioning of an instance of the pool anew."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`; None: nothing at all unless something changes."""

    until: datetime | None = None


Step = Mint | Start | WriteFiles | Stop | Delete | Forget | DropOwnKey | Note | Fail | Retry | Wait


def next_step(facts: Facts, seen: Observation, now: datetime) -> Step:
    """The one thing to do now. What calls the runtime waits for `due_at`; what only writes down does not."""
    match facts.phase:
        case Phase.PROVISIONING | Phase.READY:
            return _towards_running(facts, seen, now)
        case Phase.HIBERNATED | Phase.SUSPENDED | Phase.FAILED:
            return _towards_stopped(facts, seen, now)
        case Phase.ENDING:
            return _towards_absent(facts, seen, now)


def pause_after(tries: int, *, was_serving: bool = False) -> timedelta:
    """How long to wait after the `tries`th failure in a row: 1, 2, 4 ... 60 s; a first crash is repaired at once."""
    if was_serving and tries <= 1:
        return timedelta(0)
    return min(FIRST_PAUSE * (1 << min(tries - 1, 16)), LONGEST_PAUSE)


def _towards_running(facts: Facts, seen: Observation, now: datetime) -> Step:
    broken = _newly_broken(facts, seen, now)
    if broken is not None:
        return broken
    if not facts.is_minted:
        return _when_due(facts, Mint(), now)
    if seen.state not in _RUNS:
        return _when_due(facts, Start(), now)
    if seen.state is Observed.STARTING:
        return Note() if facts.observed is not Observed.STARTING else Wait(now + POLL)
    return _while_serving(facts, seen, now)


def _while_serving(facts: Facts, seen: Observation, now: datetime) -> Step:
    if facts.applied_revision < facts.revision:
        return _when_due(facts, WriteFiles(facts.revision), now)
    if _has_news(facts, seen, now):
        return Note()
    if facts.keeps_own_key:
        return _when_due(facts, DropOwnKey(), now)
    if facts.tries:
        return Wait(_since(facts, now) + STABLE_AFTER)
    return Wait()


def _newly_broken(facts: Facts, seen: Observation, now: datetime) -> Fail | None:
    """A start that ended or hangs, or a process that served and is gone; None when it was written down already."""
    if facts.observed is Observed.STARTING:
        if seen.state is Observed.FAILED:
            return Fail(seen.code or "start_failed", seen.detail)
        if seen.state is not Observed.READY and now - _since(facts, now) >= START_WITHIN:
            return Fail("start_timeout", None, stops=True)
    # Stopped is no crash: somebody told it to, as the launcher of one machine does at its end.
    if facts.observed is Observed.READY and seen.state in {Observed.ABSENT, Observed.FAILED}:
        return Fail(seen.code or "crashed", seen.detail)
    return None


def _has_news(facts: Facts, seen: Observation, now: datetime) -> bool:
    """Whether the row of a serving instance does not say yet what is."""
    return (
        facts.phase is Phase.PROVISIONING
        or facts.observed is not Observed.READY
        or facts.endpoint != seen.endpoint
        or (facts.tenant is not None and not facts.is_announced)
        or (facts.tries > 0 and now - _since(facts, now) >= STABLE_AFTER)
    )


def _towards_stopped(facts: Facts, seen: Observation, now: datetime) -> Step:
    # What failed by itself is stopped once, so that no runtime starts it again; then its row says stopped.
    is_down = seen.state in _DOWN or (seen.state is Observed.FAILED and facts.observed in _DOWN)
    if not is_down:
        return _when_due(facts, Stop(), now)
    if seen.state in _DOWN and facts.observed is not seen.state:
        return Note()
    if facts.keeps_own_key:
        return _when_due(facts, DropOwnKey(), now)
    if facts.phase is Phase.FAILED and facts.tenant is None:
        return _when_due(facts, Retry(), now)
    return Wait()


def _towards_absent(facts: Facts, seen: Observation, now: datetime) -> Step:
    if seen.state is not Observed.ABSENT or facts.observed is not Observed.ABSENT:
        return _when_due(facts, Delete(), now)
    return _when_due(facts, Forget(), now)


def _when_due(facts: Facts, step: Step, now: datetime) -> Step:
    return step if facts.due_at <= now else Wait(facts.due_at)


def _since(facts: Facts, now: datetime) -> datetime:
    return facts.observed_at or now
