"""What this gateway may spend without asking: leases of budgets and rates, drawn when they run out. Not for threads.

A call reserves what it may cost from what is left in memory; only when that is too little Postgres is asked, under a
lock of the budget's period: spent + leased <= cap, whatever the number of gateways. So a cap is passed by no more than
what providers report beyond the reservations. A lease is good for `GOOD_S` after it was last confirmed, and belongs to
others again after `KEPT_S` (draw), so that a gateway that lost Postgres stops before somebody else spends its part.
Source: gateway page, "Budgets".
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from kontor.billing.metering.budgets import draw
from kontor.billing.metering.budgets.draw import Drawn, Rates
from kontor.billing.metering.budgets.periods import Period
from kontor.billing.metering.keys import Key
from kontor.billing.metering.link import DatabaseAway, Link
from kontor.core.clock import Clock
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import TenantId

log = structlog.get_logger(__name__)

FRESH_S: Final = 5.0
GOOD_S: Final = 300.0
IDLE_S: Final = 2.0
TIDY_S: Final = 1.0
SWEEP_S: Final = 60.0
AGAIN_S: Final = 1.0
_FORGET_S: Final = 600.0
_MINUTE: Final = timedelta(seconds=draw.MINUTE_S)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Exhausted(Exception):
    """What the call may cost is not left in a budget of this period."""

    def __init__(self, period: Period) -> None:
        super().__init__(period)
        self.period: Period = period


class TooFast(Exception):
    """The minute's requests or tokens are used up."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


class BudgetsUnavailable(Unavailable):
    """Postgres is away, and what we may spend without it is used up or too old."""

    def __init__(self) -> None:
        super().__init__(
            "gateway.unavailable",
            Text(
                de="Der Dienst ist für einen Augenblick nicht erreichbar. Versuchen Sie es gleich noch einmal.",
                en="The service is unavailable for a moment. Please try again shortly.",
            ),
        )


@dataclass(slots=True)
class Slice:
    """What is left of one lease. `reserved` calls are under way."""

    budget: UUID
    period: Period
    begins: date
    ends_at: datetime | None
    left_nano: int = 0
    reserved: int = 0
    used_at: float = 0.0

    def is_idle(self, now: float, idle_s: float) -> bool:
        """Whether something lies here that nobody has used for so long."""
        return self.left_nano > 0 and not self.reserved and now - self.used_at >= idle_s


@dataclass(slots=True)
class Purse:
    """All that one caller spends from."""

    tenant: TenantId
    slices: list[Slice] = field(default_factory=list)
    minute: datetime | None = None
    minute_ends: datetime = _LONG_AGO
    requests_left: int = 0
    tokens_left: int = 0
    read_at: float = float("-inf")
    used_at: float = 0.0
    exhausted: Period | None = None
    refuses_nano: int = 0
    refuses_until: float = float("-inf")
    filling: asyncio.Event | None = None

    def is_in(self, at: datetime) -> bool:
        """Whether an instant lies in the minute whose rate was drawn."""
        return self.minute is not None and self.minute <= at < self.minute_ends

    def has_time(self, tokens: int, at: datetime) -> bool:
        """Whether a call fits into what is left of the minute."""
        return self.is_in(at) and self.requests_left >= 1 and self.tokens_left >= tokens

    def has_money(self, nano: int, at: datetime) -> bool:
        """Whether a call fits into what is left of all budgets."""
        for one in self.slices:  # noqa: SIM110 - half the time of all(...)
            if one.left_nano < nano or (one.ends_at is not None and at >= one.ends_at):
                return False
        return True


class Reservation:
    """What one request holds. `spend` for each of its calls, `release` once at its end."""

    __slots__ = ("_nano", "_slices", "_spent")

    def __init__(self, slices: list[Slice], nano: int) -> None:
        self._slices = slices
        self._nano = nano
        self._spent = 0
        for one in slices:
            one.left_nano -= nano
            one.reserved += 1

    def spend(self, nano: int) -> None:
        """A call has cost this."""
        self._spent += nano

    def release(self, now: float) -> None:
        """What was reserved and not spent is free again.

        What was spent beyond it is taken from what is left of the lease, as the recorder does; the rest of it is
        missing from the budget as soon as it is recorded.
        """
        for one in self._slices:
            one.left_nano = max(0, one.left_nano + self._nano - self._spent)
            one.reserved -= 1
            one.used_at = now


class Purses:
    """The purses of this process. `gateway` is its id in leases and in its journal."""

    def __init__(
        self, link: Link, gateway: UUID, clock: Clock, rates: Rates, now: Callable[[], float] = monotonic
    ) -> None:
        self.gateway = gateway
        self._link = link
        self._clock = clock
        self._rates = rates
        self._now = now
        self._purses: dict[tuple[UUID, UUID | None], Purse] = {}
        self._away_until = float("-inf")

    async def reserve(self, key: Key, tenant: TenantId, nano: int, tokens: int) -> Reservation:
        """The call may be made. Raises Exhausted, TooFast, BudgetsUnavailable: then it must not."""
        whose = tenant, key.id if key.kind == "direct" else None
        purse = self._purses.get(whose)
        if purse is None:
            purse = self._purses[whose] = Purse(tenant)
        at = self._clock.now()
        while not self._is_good(purse, nano, tokens, at):
            if purse.filling is None:
                await self._fill_alone(purse, whose[1], nano, tokens, at)
                break
            await purse.filling.wait()  # all at once: behind a lock they would go on one by one
        purse.requests_left -= 1
        purse.tokens_left -= tokens
        return Reservation(purse.slices, nano)

    def release(self, reservation: Reservation) -> None:
        """The request has ended: what it did not spend is free again."""
        reservation.release(self._now())

    async def tidy(self) -> None:
        """Until cancelled: gives back what lies idle, and sweeps what is over."""
        swept_at = self._now()
        while True:
            await asyncio.sleep(TIDY_S)
            try:
                await self.give_back(idle_s=IDLE_S)
                if self._now() - swept_at > SWEEP_S:
                    swept_at = self._now()
                    async with self._link.connection() as connection:
                        await draw.sweep(connection)
            except DatabaseAway:
                continue

    async def give_back(self, *, idle_s: float = 0.0) -> None:
        """What was left unused for so long is everybody's again. Raises DatabaseAway."""
        now = self._now()
        idle: list[tuple[Purse, Slice]] = []
        for whose, purse in list(self._purses.items()):
            idle.extend((purse, one) for one in purse.slices if one.is_idle(now, idle_s))
            if now - purse.used_at > _FORGET_S and not any(one.reserved for one in purse.slices):
                del self._purses[whose]
        for purse, one in idle:
            nano, one.left_nano = one.left_nano, 0
            async with self._link.connection() as connection:
                await draw.give_back(connection, purse.tenant, one.budget, one.begins, gateway=self.gateway, nano=nano)

    def _is_good(self, purse: Purse, nano: int, tokens: int, at: datetime) -> bool:
        """Whether a call may be made from memory. Raises Exhausted when that was said a moment ago."""
        purse.used_at = now = self._now()
        if purse.exhausted is not None and now < purse.refuses_until and nano >= purse.refuses_nano:
            raise Exhausted(purse.exhausted)
        if now < self._away_until:  # rates wait for Postgres, money does not
            return now - purse.read_at <= GOOD_S and purse.has_money(nano, at)
        return now - purse.read_at <= FRESH_S and purse.has_time(tokens, at) and purse.has_money(nano, at)

    async def _fill_alone(self, purse: Purse, key: UUID | None, nano: int, tokens: int, at: datetime) -> None:
        """As _fill, while others wait for it."""
        purse.filling = filling = asyncio.Event()
        try:
            await self._fill(purse, key, nano, tokens, at)
        finally:
            purse.filling = None
            filling.set()

    async def _fill(self, purse: Purse, key: UUID | None, nano: int, tokens: int, at: datetime) -> None:
        """There is enough for the call. Raises what reserve raises."""
        left = {(one.budget, one.begins): one.left_nano for one in purse.slices}
        if not purse.is_in(at):
            purse.requests_left = purse.tokens_left = 0
        is_slow = purse.requests_left < 1 or purse.tokens_left < tokens
        rate = None
        try:
            async with self._link.connection() as connection:
                drawn = await draw.draw(connection, purse.tenant, key, self.gateway, at, need_nano=nano, left_nano=left)
                if drawn.refused is None and is_slow:
                    asked = Rates(int(purse.requests_left < 1), max(0, tokens - purse.tokens_left))
                    rate = await draw.draw_rate(connection, purse.tenant, at, asked, self._rates)
        except DatabaseAway as error:
            self._away_until = self._now() + AGAIN_S
            if self._is_good(purse, nano, tokens, at):
                return
            raise BudgetsUnavailable from error
        self._learn(purse, drawn)
        if drawn.refused is not None:
            purse.exhausted, purse.refuses_nano = drawn.refused, nano
            purse.refuses_until = self._now() + AGAIN_S
            raise Exhausted(drawn.refused)
        if is_slow:
            if rate is None:
                raise TooFast(draw.seconds_left(at))
            purse.minute = draw.minute_of(at)
            purse.minute_ends = purse.minute + _MINUTE
            purse.requests_left += rate.requests
            purse.tokens_left += rate.tokens

    def _learn(self, purse: Purse, drawn: Drawn) -> None:
        """The purse has what was drawn. When a budget is used up the others keep theirs, and the next call asks again.

        Calls that are under way keep the slices they were reserved from; those of a period that is over come back by
        expiry.
        """
        known = {(one.budget, one.begins): one for one in purse.slices}
        slices = []
        for grant in drawn.grants:
            one = known.pop((grant.budget, grant.span.begins), None)
            if one is None:
                one = Slice(grant.budget, grant.period, grant.span.begins, grant.span.ends_at, used_at=self._now())
            one.left_nano += grant.nano
            slices.append(one)
        if drawn.refused is None:
            purse.slices, purse.read_at, purse.exhausted = slices, self._now(), None
        else:
            purse.slices, purse.read_at = [*slices, *known.values()], float("-inf")
