"""Events: that something happened, told once per subscriber and never lost.

`publish` writes one job per subscriber into the transaction of the change. Who subscribes is decided in one place of
the app. Reactions re-read the rows: events come in any order and twice.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from kontor.core.db import Subscribers, Tx
from kontor.core.ids import TenantId
from kontor.core.jobs import Handler, Job, enqueue

_ARG: Final = "event"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a tenant; only ids and plain values."""

    tenant: TenantId


E = TypeVar("E", bound=Event)
Reaction = Callable[[Any], Awaitable[None]]
Reactions = Mapping[type[Event], Sequence[Reaction]]


def job_name(event: type[Event], reaction: Reaction) -> str:
    """The job that tells one reaction of one type of event."""
    return f"{event.__name__}>{getattr(reaction, '__name__', type(reaction).__name__)}"


def subscribers(reactions: Reactions) -> Subscribers:
    """For each event the jobs that it starts, for `Database`."""
    return {event: tuple(job_name(event, reaction) for reaction in of) for event, of in reactions.items()}


def handlers(reactions: Reactions) -> dict[str, Handler]:
    """For each of those jobs its handler, for `Worker`."""
    return {job_name(event, reaction): _handler(event, reaction) for event, of in reactions.items() for reaction in of}


async def publish(tx: Tx, event: Event) -> None:
    """Each subscriber gets a job in this transaction. An event without subscribers is allowed."""
    payload = TypeAdapter(type(event)).dump_json(event).decode()
    for name in tx.subscribers.get(type(event), ()):
        await enqueue(tx, name, {_ARG: payload}, tenant=event.tenant)


def _handler(event: type[Event], reaction: Reaction) -> Handler:
    adapter: TypeAdapter[Event] = TypeAdapter(event)

    async def handle(job: Job) -> None:
        await reaction(adapter.validate_json(job.args[_ARG]))

    return handle
