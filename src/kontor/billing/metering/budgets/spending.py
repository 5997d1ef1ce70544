"""Before a call: what it may cost, and whether there is money and time for it. After it: what was not spent is free.

A reservation is a guess: the input by its size, the output by the bound that the caller or the catalogue sets. What a
provider reports beyond it is the only way past a cap.
"""

from dataclasses import dataclass
from typing import Literal

from kontor.billing.metering import answers
from kontor.billing.metering.answers import Refusal
from kontor.billing.metering.budgets.purses import BudgetsUnavailable, Exhausted, Purses, Reservation, TooFast
from kontor.billing.metering.catalogue import Deployment
from kontor.billing.metering.keys import Key
from kontor.billing.metering.live_prices import LivePrices
from kontor.billing.metering.usage import estimate
from kontor.core.clock import Clock
from kontor.core.ids import TenantId


class Refused(Exception):
    """The call must not be made."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(slots=True)
class Held:
    """What is held for a request, and the deployments that may serve it."""

    route: tuple[Deployment, ...]
    reservation: Reservation


class Spending:
    """Prices and purses together. `unpriced` says what becomes of a model that has no price."""

    def __init__(
        self, purses: Purses, prices: LivePrices, clock: Clock, unpriced: Literal["serve", "refuse"] = "serve"
    ) -> None:
        self._purses = purses
        self._prices = prices
        self._clock = clock
        self._unpriced = unpriced

    async def hold(
        self, key: Key, tenant: TenantId, route: tuple[Deployment, ...], size: int, most_output: int
    ) -> Held:
        """There is enough for the dearest of the route. Raises Refused, BudgetsUnavailable."""
        if not self._prices.is_known:
            raise BudgetsUnavailable
        tokens = estimate(size, 0)
        tokens.output = most_output
        at, book, most = self._clock.now(), self._prices.book, 0
        for one in route:
            nano = book.cost_nano(one.provider, one.model, tokens, at)
            if nano is not None:
                most = max(most, nano)
            elif self._unpriced == "refuse":
                route = tuple(other for other in route if other is not one)
        if not route:
            raise Refused(answers.UNPRICED)
        try:
            reservation = await self._purses.reserve(key, tenant, most, tokens.input + tokens.output)
        except Exhausted as error:
            raise Refused(answers.exhausted(error.period)) from error
        except TooFast as error:
            raise Refused(answers.too_fast(error.retry_after_s)) from error
        return Held(route, reservation)

    def release(self, held: Held) -> None:
        """The request has ended."""
        self._purses.release(held.reservation)
