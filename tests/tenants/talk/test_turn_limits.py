"""Limits of turns: what counts, what is refused, who has the last place, and when it goes on."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from kontor.core.clock import FixedClock
from kontor.core.db import Database
from kontor.core.errors import DomainError
from kontor.core.ids import ApiKeyId, TenantId, new_id
from kontor.tenants.people.model import ApiKey
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.talk import Cut, NotAnswering, NotReached
from kontor.tenants.states import Phase
from kontor.tenants.talk.conversation import Origin
from kontor.tenants.talk.errors import NotAwake, TurnLimitReached
from kontor.tenants.talk.model import Channel
from kontor.tenants.talk.turn_limits.count import count, give_back
from kontor.tenants.talk.turn_limits.edit import Limits, TurnsView, limit_key, turns_of_key
from support.talking import Talk, set_instance
from support.tenants import OPERATOR

NOBODY = "http://127.0.0.1:1"
ENDPOINT = text("UPDATE instances SET endpoint = :url")


async def a_key(talk: Talk) -> ApiKeyId:
    """The key by which the talk's programs ask."""
    async with talk.database.uow(talk.tenant) as tx:
        tx.add(
            ApiKey(
                id=talk.api_key,
                tenant_id=talk.tenant,
                name=b"",
                hint="kontor_",
                key_hash=talk.api_key.bytes,
                scopes=["chat"],
                created_by=new_id(),
                created_at=tx.now,
            )
        )
    return ApiKeyId(talk.api_key)


async def limited(talk: Talk, per_day: int | None = None, per_month: int | None = None) -> ApiKeyId:
    """A key with these limits."""
    key = await a_key(talk)
    async with talk.database.uow(talk.tenant) as tx:
        limits = Limits(per_day, per_month)
        await limit_key(tx, talk.tenant, key, limits, by=OPERATOR, expected=1)
    return key


async def turns(talk: Talk) -> tuple[int, int]:
    """Counted today and this month."""
    async with talk.database.uow(talk.tenant) as tx:
        found = await turns_of_key(tx, talk.tenant, ApiKeyId(talk.api_key))
    return found.today, found.this_month


async def test_the_limit_of_a_day_refuses_the_next_message_and_the_assistant_never_sees_it(talk: Talk) -> None:
    await limited(talk, per_day=2)
    await talk.say("Eins")
    await talk.say("Zwei", user="kunde-2")

    with pytest.raises(TurnLimitReached) as refused:
        await talk.say("Drei", user="kunde-3")

    assert talk.instance.questions == ["Eins", "Zwei"]
    assert await turns(talk) == (2, 2)
    assert refused.value.code == "chat.turn_limit"
    assert refused.value.sentence("de").startswith(
        "Ihr Limit von 2 Nachrichten pro Tag an den Assistenten ist erreicht"
    )


async def test_without_a_limit_turns_are_counted_and_a_later_limit_counts_them(talk: Talk) -> None:
    await talk.say("Eins")
    await talk.say("Zwei")

    await limited(talk, per_day=2)

    with pytest.raises(TurnLimitReached):
        await talk.say("Drei")


async def test_another_who_asks_has_its_own_count(talk: Talk) -> None:
    await limited(talk, per_day=1)
    await talk.say("Eins")

    in_the_portal = await talk.say("Zwei", user=None, channel=Channel.PORTAL)

    assert in_the_portal.text.endswith("Echo: Zwei")
    with pytest.raises(TurnLimitReached):
        await talk.say("Drei")


async def test_a_message_to_a_human_goes_through_and_does_not_count(talk: Talk) -> None:
    await limited(talk, per_day=1)
    await talk.say("Eins")

    called = await talk.say("MENSCH")
    said = await talk.say("Hallo, ist da jemand?")

    assert "Menschen" in called.text
    assert "angekommen" in said.text
    assert await turns(talk) == (1, 1)


@pytest.mark.parametrize("places", [1, 3])
async def test_of_turns_at_once_exactly_as_many_pass_as_there_are_places(talk: Talk, places: int) -> None:
    await limited(talk, per_day=5, per_month=5 + places)
    async with talk.database.uow(talk.tenant) as tx:
        for _ in range(5 - places):
            await count(tx, talk.tenant, Origin(Channel.API, talk.api_key))

    said = await asyncio.gather(
        *[talk.say("Hallo", user=f"kunde-{number}") for number in range(8)], return_exceptions=True
    )

    assert sum(isinstance(one, TurnLimitReached) for one in said) == 8 - places
    assert not [one for one in said if isinstance(one, BaseException) and not isinstance(one, TurnLimitReached)]
    assert len(talk.instance.questions) == places
    assert await turns(talk) == (5, 5)


async def test_of_counts_in_transactions_at_once_none_passes_the_last_place(talk: Talk) -> None:
    await limited(talk, per_day=3)

    async def counts() -> bool:
        async with talk.database.uow(talk.tenant) as tx:
            await count(tx, talk.tenant, Origin(Channel.API, talk.api_key))
            await asyncio.sleep(0.01)  # others come before this one commits
        return True

    done = await asyncio.gather(*[counts() for _ in range(8)], return_exceptions=True)

    assert [one for one in done if not isinstance(one, TurnLimitReached)] == [True] * 3
    assert await turns(talk) == (3, 3)


async def test_an_assistant_that_cannot_be_reached_gives_the_turn_back(talk: Talk) -> None:
    await limited(talk, per_day=1)
    async with talk.database.system_uow() as tx:
        await tx.execute(ENDPOINT, {"url": NOBODY})

    with pytest.raises(NotReached):
        await talk.say("Hallo")

    assert await turns(talk) == (0, 0)
    async with talk.database.system_uow() as tx:
        await tx.execute(ENDPOINT, {"url": talk.url})
    assert (await talk.say("Noch einmal")).text.endswith("Echo: Noch einmal")


async def test_an_assistant_that_does_not_start_gives_the_turn_back(talk: Talk) -> None:
    await limited(talk, per_day=1)
    await set_instance(talk.database, talk.tenant, Phase.READY, Observed.STARTING)
    talk.lose_patience()

    with pytest.raises(NotAwake):
        await talk.say("Hallo")

    assert await turns(talk) == (0, 0)


@pytest.mark.parametrize(
    ("plan", "error"),
    [({"status": 500}, NotAnswering), ({"words": ["Eins", "Zwei"], "break_after": 1}, Cut)],
)
async def test_what_was_sent_to_the_assistant_counts_however_it_ended(
    talk: Talk, plan: dict[str, object], error: type[DomainError]
) -> None:
    await limited(talk, per_day=1)
    talk.instance.plan(**plan)

    with pytest.raises(error):
        await talk.say("Hallo")

    assert await turns(talk) == (1, 1)


async def test_it_goes_on_at_midnight_in_berlin(talk: Talk, clock: FixedClock) -> None:
    await limited(talk, per_day=1)
    clock.advance(datetime(2026, 11, 30, 22, 59, 30, tzinfo=UTC) - clock.now())
    await talk.say("Eins")

    with pytest.raises(TurnLimitReached) as refused:
        await talk.say("Zwei")
    clock.advance(timedelta(seconds=30))
    await talk.say("Drei")

    assert refused.value.retry_after_s == 30
    assert "01.12.2026 um 0 Uhr" in refused.value.sentence("de")
    assert "2026-12-01, 00:00" in refused.value.sentence("en")
    assert talk.instance.questions == ["Eins", "Drei"]
    assert await turns(talk) == (1, 1)


async def test_the_month_is_told_when_both_are_reached_and_holds_over_midnight(talk: Talk, clock: FixedClock) -> None:
    await limited(talk, per_day=1, per_month=1)
    clock.advance(datetime(2026, 12, 30, 12, tzinfo=UTC) - clock.now())
    await talk.say("Eins")

    with pytest.raises(TurnLimitReached) as refused:
        await talk.say("Zwei")
    clock.advance(timedelta(days=1))
    with pytest.raises(TurnLimitReached) as next_day:
        await talk.say("Drei")
    clock.advance(timedelta(days=1))
    await talk.say("Vier")

    assert "pro Monat" in refused.value.sentence("de")
    assert "01.01.2027" in next_day.value.sentence("de")
    assert talk.instance.questions == ["Eins", "Vier"]


async def test_a_clock_that_goes_back_gives_no_second_day(talk: Talk, clock: FixedClock) -> None:
    await limited(talk, per_day=1)
    await talk.say("Eins")

    clock.advance(timedelta(days=-1))

    with pytest.raises(TurnLimitReached) as refused:
        await talk.say("Zwei")
    assert refused.value.retry_after_s == 2 * 86_400 - 36_000


async def test_two_processes_whose_clocks_differ_at_midnight_give_no_more_turns(talk: Talk, clock: FixedClock) -> None:
    await limited(talk, per_day=2, per_month=2)
    month_ends = datetime(2026, 11, 30, 23, tzinfo=UTC) - clock.now()
    clock.advance(month_ends)
    await talk.say("Von dem, dessen Uhr vorgeht")
    clock.advance(timedelta(seconds=-5))
    await talk.say("Von dem, dessen Uhr nachgeht")
    clock.advance(timedelta(seconds=5))

    with pytest.raises(TurnLimitReached):
        await talk.say("Noch einmal von jenem")

    assert await turns(talk) == (2, 2)


async def test_a_turn_is_given_back_to_the_day_in_which_it_was_counted(talk: Talk, clock: FixedClock) -> None:
    origin = Origin(Channel.API, talk.api_key)
    await limited(talk)
    async with talk.database.uow(talk.tenant) as tx:
        before = await count(tx, talk.tenant, origin)
    clock.advance(timedelta(days=1))
    async with talk.database.uow(talk.tenant) as tx:
        await count(tx, talk.tenant, origin)

    async with talk.database.uow(talk.tenant) as tx:
        await give_back(tx, talk.tenant, before)

    assert (before.day, before.month) == (date(2026, 11, 23), date(2026, 11, 1))
    assert await turns(talk) == (1, 1)


@pytest.mark.parametrize(("per_day", "per_month"), [(0, None), (None, 0), (0, 1), (1, 0)])
async def test_no_turns_at_all_is_said_without_a_promise(
    talk: Talk, per_day: int | None, per_month: int | None
) -> None:
    await limited(talk, per_day=per_day, per_month=per_month)

    with pytest.raises(TurnLimitReached) as refused:
        await talk.say("Hallo")

    assert refused.value.retry_after_s is None
    assert "keine Nachrichten" in refused.value.sentence("de")
    assert "No messages" in refused.value.sentence("en")


async def test_a_limit_that_is_set_while_turns_run_is_passed_by_none(talk: Talk) -> None:
    key = await a_key(talk)

    async def limit() -> TurnsView:
        async with talk.database.uow(talk.tenant) as tx:
            return await limit_key(tx, talk.tenant, key, Limits(3, None), by=OPERATOR, expected=1)

    said = await asyncio.gather(
        *[talk.say("Hallo", user=f"kunde-{number}") for number in range(4)],
        limit(),
        *[talk.say("Hallo", user=f"kunde-{number}") for number in range(4, 8)],
        return_exceptions=True,
    )
    set_at = next(one for one in said if isinstance(one, TurnsView))

    assert (await turns(talk))[0] == max(3, set_at.today)


async def test_another_tenants_turns_are_neither_seen_nor_counted(talk: Talk, database: Database) -> None:
    await limited(talk, per_day=1)
    other = TenantId(new_id())

    async with database.uow(other) as tx:
        with pytest.raises(DomainError) as refused:
            await turns_of_key(tx, other, ApiKeyId(UUID(int=talk.api_key.int)))

    assert refused.value.code == "not_found"
