"""Waiting for something to become true: the only place in the tests that may sleep.

A check says yes by returning a truthy value and no by a falsy one or an AssertionError; anything else it raises is
a bug and ends the wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
WITHIN_S = 15.0
EVERY_S = 0.02


async def eventually(check: Callable[[], Awaitable[T]], *, within_s: float = WITHIN_S, what: str = "") -> T:
    """The first truthy result of an async check. Raises AssertionError with the last reason after the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        reason: BaseException | None = None
        result: T | None = None
        try:
            result = await check()
        except AssertionError as error:
            reason = error
        if reason is None and result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(_sentence(what, within_s, reason or result)) from reason
        await asyncio.sleep(EVERY_S)


def eventually_sync(check: Callable[[], T], *, within_s: float = WITHIN_S, what: str = "") -> T:
    """The first truthy result of a plain check. Raises AssertionError with the last reason after the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        reason: BaseException | None = None
        result: T | None = None
        try:
            result = check()
        except AssertionError as error:
            reason = error
        if reason is None and result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(_sentence(what, within_s, reason or result)) from reason
        time.sleep(EVERY_S)


def _sentence(what: str, within_s: float, last: object) -> str:
    return f"{what or 'it'} did not come true within {within_s:g} s; last: {last!r}"
