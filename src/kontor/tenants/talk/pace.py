"""Waiting without forgetting the one who waits: how long, and how often it hears that it is not forgotten."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how long a turn waits for the one before, and for an assistant to start; how often it says so."""

    queued_s: float = 60.0
    waking_s: float = 90.0
    hold_every_s: float = 5.0
    poll_s: float = 0.2


class Wait:
    """Waiting in short steps for at most `within_s`; is_due at once and then every hold_every_s."""

    def __init__(self, patience: Patience, within_s: float) -> None:
        self._patience = patience
        self._now = asyncio.get_running_loop().time
        self._end = self._now() + within_s
        self._due = self._now()

    @property
    def is_over(self) -> bool:
        """Whether it has been long enough."""
        return self._now() >= self._end

    @property
    def is_due(self) -> bool:
        """Whether the caller should hear something; asking resets it."""
        if self._now() < self._due:
            return False
        self._due = self._now() + self._patience.hold_every_s
        return True

    async def a_moment(self) -> None:
        """One step."""
        await asyncio.sleep(self._patience.poll_s)


async def paced(items: AsyncIterator[T], every_s: float) -> AsyncGenerator[T | None, None]:
    """The items, and None whenever none came for so long. Closing it closes them."""
    waiting: asyncio.Task[T] | None = None
    try:
        while True:
            if waiting is None:
                waiting = asyncio.ensure_future(_next(items))
            done, _ = await asyncio.wait({waiting}, timeout=every_s)
            if not done:
                yield None
                continue
            try:
                item = waiting.result()
            except StopAsyncIteration:
                return
            finally:
                waiting = None
            yield item
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
            if not waiting.cancelled():
                waiting.exception()  # it ended in the same moment; nobody asks any more
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)
