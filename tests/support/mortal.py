"""Killing a coroutine at its n-th await, with every task that it has started.

An await that suspends is the only place at which a worker can be cut off between two things that others see. So
running something once for each of its suspensions, and ending it there, tries every death that it can die.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Life:
    """Lasts for `suspensions` of all tasks together."""

    def __init__(self, suspensions: int) -> None:
        self._left = suspensions
        self._tasks: list[asyncio.Task[Any]] = []
        self.is_over = False

    async def of(self, work: Coroutine[Any, Any, None]) -> None:
        """The work has ended by itself, or was killed."""
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(self._mortal)
        try:
            task = loop.create_task(work)
            await asyncio.wait({task})
        finally:
            loop.set_task_factory(before)
        for started in self._tasks:
            started.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.is_over:
            task.result()

    def suspended(self) -> None:
        """One more suspension of one of the tasks."""
        self._left -= 1
        if self._left < 0 and not self.is_over:
            self.is_over = True
            for task in self._tasks:
                task.cancel()

    def _mortal(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        if getattr(work, "__qualname__", "").startswith("Async"):
            # SQLAlchemy gives connections back in tasks of its own: for a killed process its kernel does that.
            return asyncio.Task(work, loop=loop, **more)
        task = asyncio.Task(_counted(work, self), loop=loop, **more)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        self._tasks.append(task)
        return task


class _Suspensions:
    def __init__(self, work: Coroutine[Any, Any, Any], life: Life) -> None:
        self._work = work
        self._life = life

    def __await__(self) -> Generator[Any, Any, Any]:
        resume, value = self._work.send, None
        while True:
            try:
                awaited = resume(value)
            except StopIteration as end:
                return end.value
            self._life.suspended()
            try:
                value = yield awaited
                resume = self._work.send
            except BaseException as error:  # noqa: BLE001 - whatever arrives is for the work to handle
                resume, value = self._work.throw, error


async def _counted(work: Coroutine[Any, Any, Any], life: Life) -> Any:
    return await _Suspensions(work, life)
