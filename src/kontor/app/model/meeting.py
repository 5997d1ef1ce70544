"""One request on its way: it waits, is answered whole or piece by piece, broken off where a test asked for it, counted.

Leaves what is said to the dialects, and what goes wrong to the behaviour that the request was met with.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from kontor.app.model.answer import Usage
from kontor.app.model.behaviour import Behaviour, Counts
from kontor.app.model.dialects.dialect import Event, Failure


class ToldToBreakOff(Exception):
    """A test asked for a connection that ends in the middle; the server closes it."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """How a request is met, and the counters that it moves."""

    behaviour: Behaviour
    counts: list[Counts]

    async def begins(self, error: Callable[[Failure], dict[str, Any]]) -> Response | None:
        """It is counted and was let wait; the answer, where that is to be an error."""
        for counts in self.counts:
            counts.requests += 1
        await asyncio.sleep(self.behaviour.delay_ms / 1000)
        if self.behaviour.status is None:
            return None
        for counts in self.counts:
            counts.failed += 1
        told = Failure(self.behaviour.status, self.behaviour.error, self.behaviour.error_code)
        return json(error(told), self.behaviour.status)

    def whole(self, body: dict[str, Any], usage: Usage) -> Response:
        """The answer in one piece."""
        is_broken = self.behaviour.disconnect_after is not None
        self._ends(usage, usage.said_tokens, is_reported=not (is_broken or self.behaviour.omit_usage))
        return StreamingResponse(_broken(), media_type="application/json") if is_broken else json(body)

    def streamed(self, events: Iterator[Event], usage: Usage) -> Response:
        """The answer piece by piece."""
        return StreamingResponse(self._play(events, usage), media_type="text/event-stream")

    async def _play(self, events: Iterator[Event], usage: Usage) -> AsyncIterator[bytes]:
        """What was generated is counted also when the reader goes away."""
        sent, is_reported = 0, False
        try:
            for event in events:
                if event.is_token and self.behaviour.chunk_delay_ms:
                    await asyncio.sleep(self.behaviour.chunk_delay_ms / 1000)
                if self._breaks_off_before(event, sent):
                    raise ToldToBreakOff
                yield event.data
                sent += event.is_token
                is_reported = is_reported or event.tells_usage
        finally:
            self._ends(usage, sent, is_reported=is_reported)

    def _breaks_off_before(self, event: Event, sent: int) -> bool:
        after = self.behaviour.disconnect_after
        return after is not None and (event.ends or (event.is_token and sent >= after))

    def _ends(self, usage: Usage, sent: int, *, is_reported: bool) -> None:
        """Counts what was generated and whether its usage was told; what was thought was thought before."""
        generated = sent + usage.reasoning_tokens
        is_cut = sent < usage.said_tokens or (self.behaviour.disconnect_after is not None and not is_reported)
        for counts in self.counts:
            counts.input_tokens += usage.input_tokens
            counts.output_tokens += generated
            counts.cut += is_cut
            counts.answered += not is_cut
            if is_reported:
                counts.reported += 1
                counts.reported_input_tokens += usage.input_tokens
                counts.reported_output_tokens += generated


def json(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _broken() -> AsyncIterator[bytes]:
    yield b'{"id":'
    raise ToldToBreakOff
