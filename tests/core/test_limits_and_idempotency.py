"""Limits that all replicas share, and requests that are carried out once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.idempotency import (
    KEPT,
    DoneUnanswered,
    IdempotentRequest,
    InProgress,
    KeyReused,
    Ticket,
    answer,
    claim,
    mark_committed,
    release,
    sweep,
)
from kontor.core.limits import Limit, Limited, RateBucket, take

FIVE = Limit("test", 5, 50)


async def taken(database: Database, who: str = "ada") -> bool:
    try:
        async with database.system_uow() as tx:
            await take(tx, FIVE, who)
    except Limited:
        return False
    return True


async def test_a_burst_passes_then_one_every_ten_seconds(database: Database, clock: FixedClock) -> None:
    assert [await taken(database) for _ in range(6)] == [True] * 5 + [False]
    clock.advance(timedelta(seconds=9))
    assert not await taken(database)
    clock.advance(timedelta(seconds=1))
    assert [await taken(database), await taken(database)] == [True, False]
    clock.advance(timedelta(days=1))
    assert [await taken(database) for _ in range(6)] == [True] * 5 + [False]


async def test_a_refusal_says_when_to_come_back_and_is_no_charge(database: Database, clock: FixedClock) -> None:
    for _ in range(5):
        await taken(database)
    async with database.system_uow() as tx:
        with pytest.raises(Limited) as refused:
            await take(tx, FIVE, "ada")

    assert refused.value.retry_after_s == 10
    for _ in range(20):
        assert not await taken(database)
    clock.advance(timedelta(seconds=10))
    assert await taken(database)


async def test_others_are_not_limited_and_no_name_is_stored(database: Database) -> None:
    assert [await taken(database, who) for who in ("ada", "bob")] == [True, True]

    async with database.system_uow() as tx:
        keys = (await tx.scalars(select(RateBucket.key))).all()
    assert len(keys) == 2
    assert all(b"ada" not in key and b"bob" not in key for key in keys)


async def test_many_at_once_get_no_more_than_the_burst(database: Database) -> None:
    results = await asyncio.gather(*(taken(database) for _ in range(20)))

    assert sum(results) == 5


async def test_a_clock_that_goes_back_neither_gives_nor_takes(database: Database, clock: FixedClock) -> None:
    await taken(database)
    clock.advance(timedelta(hours=-1))

    assert [await taken(database) for _ in range(5)] == [True] * 4 + [False]


TICKET = Ticket.of("credential", "key-1", b"POST /x {}")


async def claimed(database: Database, ticket: Ticket = TICKET) -> bytes | None:
    async with database.system_uow() as tx:
        return await claim(tx, ticket)


async def test_the_second_request_gets_the_first_ones_answer_which_only_its_caller_can_read(
    database: Database,
) -> None:
    assert await claimed(database) is None
    async with database.system_uow() as tx:
        await mark_committed(tx, TICKET)
    async with database.system_uow() as tx:
        await answer(tx, TICKET, b"a secret shown once")

    assert await claimed(database) == b"a secret shown once"
    async with database.system_uow() as tx:
        row = (await tx.scalars(select(IdempotentRequest))).one()
    assert b"secret" not in (row.answer or b"")
    assert Ticket.of("another credential", "key-1", b"POST /x {}").key != TICKET.key


async def test_one_that_still_runs_is_not_run_twice(database: Database) -> None:
    await claimed(database)

    with pytest.raises(InProgress):
        await claimed(database)


async def test_one_that_died_before_its_change_is_run_again(database: Database, clock: FixedClock) -> None:
    await claimed(database)
    clock.advance(timedelta(seconds=61))

    assert await claimed(database) is None


async def test_one_that_died_after_its_change_is_not_run_again(database: Database, clock: FixedClock) -> None:
    await claimed(database)
    async with database.system_uow() as tx:
        await mark_committed(tx, TICKET)
    clock.advance(timedelta(seconds=61))

    with pytest.raises(DoneUnanswered):
        await claimed(database)


async def test_a_refused_request_may_be_sent_again_and_a_different_one_may_not(database: Database) -> None:
    await claimed(database)
    with pytest.raises(KeyReused):
        await claimed(database, Ticket.of("credential", "key-1", b"POST /x {other}"))
    async with database.system_uow() as tx:
        await release(tx, TICKET)

    assert await claimed(database) is None


async def test_keys_are_forgotten_after_a_day(database: Database, clock: FixedClock) -> None:
    await claimed(database)
    clock.advance(KEPT + timedelta(seconds=1))

    async with database.system_uow() as tx:
        await sweep(tx)
        assert await tx.scalar(select(func.count()).select_from(IdempotentRequest)) == 0
